import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  snapshotStoreConformance,
  type StoreOptions,
  type StoreUnderTest,
} from '../../../engine/src/snapshot-store-conformance.js';
import { DirectorySnapshotStore } from './directory-snapshot-store.js';

async function makeStore({ layout, sizeBytes }: StoreOptions): Promise<StoreUnderTest> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'directory-store-')));
  if (sizeBytes !== undefined) await mount('-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'none', root);
  return {
    store: new DirectorySnapshotStore({ root, layout }),
    root,
    reopen: () => new DirectorySnapshotStore({ root, layout }),
    makeForeign: async (workspace) => {
      await mkdir(join(root, workspace));
      await writeFile(join(root, workspace, 'precious'), 'x');
      return join(root, workspace);
    },
    cleanup: async () => {
      await unmountAll(root);
      await rm(root, { recursive: true });
    },
  };
}

async function mount(...args: readonly string[]): Promise<void> {
  await promisify(execFile)('mount', args);
}

/** Also what a failed test left. */
async function unmountAll(root: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const path of mounts.toReversed()) {
    const isInside = path === root || path.startsWith(`${root}/`);
    if (isInside) await promisify(execFile)('umount', [path.replaceAll('\\040', ' ')]);
  }
}

snapshotStoreConformance('DirectorySnapshotStore', makeStore, { modelRuns: 20 });

describe('what DirectorySnapshotStore finds of an earlier process', () => {
  let area: StoreUnderTest;
  const at = (...path: readonly string[]): string => join(area.root, ...path);
  const home = (...path: readonly string[]): string => at('.checkpoints', 'main', ...path);

  beforeEach(async () => {
    area = await makeStore({ layout: ['tmp'] });
    await area.store.startEmpty('main');
    await writeFile(at('main', 'tmp', 'a'), 'a');
  });
  afterEach(async () => area.cleanup());

  it('is a checkpoint taken by half: it is not there, and goes', async () => {
    const a = await area.store.take('main', 'a', {});
    await mkdir(home('.taking'));
    await writeFile(home('.taking', 'record.json'), await readFile(home('a', 'record.json')));
    expect(await area.reopen().list('main')).toEqual([a]);
    await area.reopen().take('main', 'b', {});
    expect(await readdir(home())).not.toContain('.taking');
  });

  it('is a checkpoint dropped by half: it is not there, and goes', async () => {
    const a = await area.store.take('main', 'a', {});
    await area.store.take('main', 'b', {});
    await rename(home('b'), home('.dropping'));
    expect(await area.reopen().list('main')).toEqual([a]);
    await area.reopen().startFrom(a, 'main');
    expect(await readdir(home())).not.toContain('.dropping');
  });

  it('is a workspace put together by half: the old one stays, until the next start', async () => {
    const a = await area.store.take('main', 'a', {});
    await mkdir(home('.incoming'));
    await writeFile(home('.incoming', 'half'), 'x');
    await area.reopen().startFrom(a, 'main');
    expect(await readdir(at('main'))).toEqual(['tmp']);
    expect(await readdir(home())).not.toContain('.incoming');
  });

  it('is a swap cut in the middle: the workspace comes back when the next start fails, too', async () => {
    const a = await area.store.take('main', 'a', {});
    await rename(at('main'), home('.outgoing'));
    await mkdir(home('.incoming'));
    expect(await area.reopen().list('main')).toEqual([a]);
    // Half of what the next start would copy is gone, so that it fails.
    await rename(home('a', 'tree'), home('a', 'elsewhere'));
    await expect(area.reopen().startFrom(a, 'main')).rejects.toMatchObject({ code: 'FAILED' });
    expect(await readdir(at('main', 'tmp'))).toEqual(['a']);
    await rename(home('a', 'elsewhere'), home('a', 'tree'));
    await area.reopen().startFrom(a, 'main');
    expect(await readdir(at('main', 'tmp'))).toEqual(['a']);
  });

  it('is a folder of the same name that is not ours, though it may have the inode of one that was', async () => {
    await rm(at('main'), { recursive: true });
    await mkdir(at('main'));
    await writeFile(at('main', 'precious'), 'x');
    await expect(area.reopen().startEmpty('main')).rejects.toMatchObject({ code: 'FOREIGN_DATA' });
    expect(await readdir(at('main'))).toEqual(['precious']);
  });

  it('is a link where the workspace was, even to the workspace itself', async () => {
    await rename(at('main'), at('moved'));
    await symlink('moved', at('main'));
    await expect(area.reopen().startEmpty('main')).rejects.toMatchObject({ code: 'FOREIGN_DATA' });
    expect(await readdir(at('moved', 'tmp'))).toEqual(['a']);
    await rm(at('main'));
    await symlink('nowhere', at('main'));
    await expect(area.reopen().startEmpty('main')).rejects.toMatchObject({ code: 'FOREIGN_DATA' });
  });

  it('is a workspace somebody removed: its checkpoints are still good', async () => {
    const a = await area.store.take('main', 'a', {});
    await rm(at('main'), { recursive: true });
    await expect(area.reopen().take('main', 'b', {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await area.reopen().startFrom(a, 'main');
    expect(await readdir(at('main', 'tmp'))).toEqual(['a']);
  });

  it('is another checkpoint of the name a fork knows: the fork shares nothing with it', async () => {
    await area.store.take('main', 'a', {});
    const a = (await area.store.list('main'))[0]!;
    await area.store.startFrom(a, 'lane');
    // By hand, as no call leaves the fork then.
    const record = JSON.parse(await readFile(home('a', 'record.json'), 'utf8')) as object;
    await writeFile(home('a', 'record.json'), JSON.stringify({ ...record, id: 'another' }));
    await writeFile(home('a', 'tree', 'tmp', 'a'), 'another');
    const taken = await area.store.take('lane', 'l', {});
    await area.store.startFrom(taken, 'lane');
    expect(await readFile(at('lane', 'tmp', 'a'), 'utf8')).toBe('a');
  });

  it('is an area behind a link: who is in the way is found all the same', async () => {
    const link = `${area.root}-link`;
    await symlink(area.root, link);
    const child = spawn('sleep', ['600'], { cwd: at('main'), stdio: 'ignore' });
    try {
      await once(child, 'spawn');
      const store = new DirectorySnapshotStore({ root: link, layout: ['tmp'] });
      await expect(store.startEmpty('main')).rejects.toMatchObject({
        code: 'BUSY',
        message: expect.stringContaining(`${child.pid} (`),
      });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
      await rm(link);
    }
  });

  it('shares files between checkpoints, and none with the workspace', async () => {
    const names = async (...path: readonly string[]): Promise<number> =>
      (await stat(at(...path, 'tmp', 'a'))).nlink;
    // What changed a moment ago is copied again, so the first ones need not share.
    for (let nth = 0; nth < 50; nth++) {
      const { label } = await area.store.take('main', `c${nth}`, {});
      expect(await names('main')).toBe(1);
      if ((await names('.checkpoints', 'main', label, 'tree')) === 3) return;
    }
    throw new Error('no three checkpoints share a file that nobody touched');
  });
});
