import type { Checkpoint } from '#libs/plan';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
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
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import {
  snapshotStoreConformance,
  type StoreOptions,
  type StoreUnderTest,
} from '../../../engine/src/snapshot-store-conformance.js';
import { snapshotStoreTransferConformance } from '../../../engine/src/snapshot-store-transfer-conformance.js';
import { DirectorySnapshotStore } from './directory-snapshot-store.js';
import { inPieces, readAll } from './testing.js';

const MiB = 1024 * 1024;

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
snapshotStoreTransferConformance('DirectorySnapshotStore', makeStore);

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

  it('is a checkpoint received by half: it is not there, and goes', async () => {
    const a = await area.store.take('main', 'a', {});
    await mkdir(home('.receiving'));
    await writeFile(home('.receiving', 'record.json'), await readFile(home('a', 'record.json')));
    expect(await area.reopen().list('main')).toEqual([a]);
    await area.reopen().startFrom(a, 'main');
    expect(await readdir(home())).not.toContain('.receiving');
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

describe('a checkpoint of DirectorySnapshotStore', () => {
  let area: StoreUnderTest;
  beforeEach(async () => {
    area = await makeStore({ layout: ['tmp'] });
    await area.store.startEmpty('main');
  });
  afterEach(async () => area.cleanup());

  it('is as it was taken, whatever comes after it', async () => {
    await writeFile(join(area.root, 'main/tmp/f'), 'one');
    const a = await area.store.take('main', 'a', {});
    await writeFile(join(area.root, 'main/tmp/f'), 'two');
    await area.store.take('main', 'b', {});
    await area.store.startFrom(a, 'fork');
    await area.store.take('fork', 'c', {});
    await area.store.startFrom(a, 'main');
    expect(await area.reopen().isAsTaken(a)).toBe(true);
  });

  it.each<[string, (tree: string) => Promise<unknown>]>([
    ['a file was written to', async (tree) => writeFile(join(tree, 'tmp/f'), 'two')],
    ['a file was added', async (tree) => writeFile(join(tree, 'tmp/g'), '')],
    ['a file was removed', async (tree) => rm(join(tree, 'tmp/f'))],
    ['it is gone but for its record', async (tree) => rm(tree, { recursive: true })],
  ])('is not as it was taken when %s', async (_, change) => {
    await writeFile(join(area.root, 'main/tmp/f'), 'one');
    const a = await area.store.take('main', 'a', {});
    await change(join(area.root, '.checkpoints/main/a/tree'));
    expect(await area.reopen().isAsTaken(a)).toBe(false);
  });
});

describe('what DirectorySnapshotStore makes of what it receives', () => {
  let here: StoreUnderTest;
  let there: StoreUnderTest;
  let first: Checkpoint;
  let second: Checkpoint;
  beforeEach(async () => {
    here = await makeStore({ layout: ['tmp'] });
    there = await makeStore({ layout: ['tmp'], sizeBytes: 64 * MiB });
    await here.store.startEmpty('main');
    await writeFile(join(here.root, 'main', 'tmp', 'kept'), 'x');
    first = await here.store.take('main', 'a', {});
    await writeFile(join(here.root, 'main', 'tmp', 'new'), 'x');
    second = await here.store.take('main', 'b', {});
  });
  afterEach(async () => {
    await here.cleanup();
    await there.cleanup();
  });
  const move = async (checkpoint: Checkpoint, base: Checkpoint | null): Promise<void> =>
    there.store.receive(checkpoint, base, await here.store.send(checkpoint, base));

  it('is no workspace before somebody starts from it, or takes the next checkpoint', async () => {
    await move(first, null);
    await move(second, first);
    expect(existsSync(join(there.root, 'main'))).toBe(false);
    const third = await there.reopen().take('main', 'c', {});
    expect(await there.store.list('main')).toEqual([first, second, third]);
    expect((await readdir(join(there.root, 'main', 'tmp'))).toSorted()).toEqual(['kept', 'new']);
  });

  it('does not take the place of what somebody else puts there', async () => {
    await move(first, null);
    await there.makeForeign('main');
    await expect(there.store.take('main', 'b', {})).rejects.toMatchObject({ code: 'FOREIGN_DATA' });
    await expect(move(second, first)).rejects.toMatchObject({ code: 'FOREIGN_DATA' });
    expect(await there.store.list('main')).toEqual([first]);
  });

  it('is nothing while somebody works in the workspace, also when he came meanwhile', async () => {
    await there.store.startEmpty('main');
    const own = await there.store.take('main', 'own', {});
    const bytes = await readAll(await here.store.send(first, null));
    async function* withSomebody(): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, 100);
      child = spawn('sleep', ['600'], { cwd: join(there.root, 'main'), stdio: 'ignore' });
      await once(child, 'spawn');
      yield bytes.subarray(100);
    }
    let child: ChildProcess | undefined;
    try {
      for (const stream of [withSomebody(), inPieces(bytes, 1000)]) {
        const receiving = there.store.receive(first, null, Readable.from(stream, { objectMode: false }));
        await expect(receiving).rejects.toMatchObject({ code: 'BUSY' });
        expect(await there.store.list('main')).toEqual([own]);
        expect(await readdir(join(there.root, '.checkpoints', 'main'))).not.toContain('.receiving');
      }
    } finally {
      child?.kill('SIGKILL');
      if (child !== undefined) await once(child, 'exit');
    }
  });

  it('is not a second checkpoint of the same name', async () => {
    await move(first, null);
    await expect(move(first, first)).rejects.toMatchObject({ code: 'EXISTS' });
    expect(await there.store.list('main')).toEqual([first]);
  });

  it('is nothing when its stream failed before it was looked at', async () => {
    const stream = await here.store.send(first, null);
    const receiving = there.store.receive(first, null, stream);
    stream.destroy(new Error('the link is gone'));
    await expect(receiving).rejects.toMatchObject({ code: 'BAD_STREAM' });
    const closed = await here.store.send(first, null);
    closed.destroy();
    await expect(there.store.receive(first, null, closed)).rejects.toMatchObject({ code: 'BAD_STREAM' });
    expect(await there.store.list('main')).toEqual([]);
  });

  it('finds room at the second try where it replaces what filled it', async () => {
    await there.store.startEmpty('main');
    await writeFile(join(there.root, 'main', 'tmp', 'old'), Buffer.alloc(20 * MiB, 'x'));
    await there.store.take('main', 'old', {});
    await here.store.startEmpty('main');
    await writeFile(join(here.root, 'main', 'tmp', 'large'), Buffer.alloc(40 * MiB, 'x'));
    const large = await here.store.take('main', 'large', {});
    await expect(move(large, null)).rejects.toMatchObject({ code: 'NO_SPACE' });
    await move(large, null);
    expect(await there.store.list('main')).toEqual([large]);
  });
});
