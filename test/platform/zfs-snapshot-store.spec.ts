// Needs root and ZFS, with a pool named in DC_TEST_POOL: scripts/with-zfs.sh npm run jest -- --selectProjects platform --testPathPatterns snapshot
import type { Checkpoint } from '#libs/plan';
import { createDataset, parseDatasetName, ZfsCommand, ZfsSnapshotStore, type ZfsCall } from '#libs/snapshots';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { execa } from 'execa';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Readable } from 'node:stream';
import {
  snapshotStoreConformance,
  type StoreOptions,
  type StoreUnderTest,
} from '../../libs/engine/src/snapshot-store-conformance.js';
import { snapshotStoreTransferConformance } from '../../libs/engine/src/snapshot-store-transfer-conformance.js';

const POOL = process.env['DC_TEST_POOL'] ?? '';
/** Which the store finds out by itself. */
const CAN_GO_ON =
  (await execa('zfs', ['get', '-H', 'receive_resume_token', POOL], { reject: false })).exitCode === 0;
let made = 0;

async function zfs(...args: readonly string[]): Promise<string> {
  return (await execa('zfs', args)).stdout;
}

async function makeStore({ layout, sizeBytes }: StoreOptions, pool = POOL): Promise<StoreUnderTest> {
  const root = parseDatasetName(`${pool}/area${++made}`);
  await zfs('create', ...(sizeBytes === undefined ? [] : ['-o', `quota=${sizeBytes}`]), root);
  const path = (await zfs('get', '-H', '-o', 'value', 'mountpoint', root)).trim();
  const open = (): ZfsSnapshotStore => new ZfsSnapshotStore({ root, layout });
  return {
    store: open(),
    root: path,
    reopen: open,
    makeForeign: async (workspace) => {
      await zfs('create', `${root}/${workspace}`);
      await writeFile(join(path, workspace, 'precious'), 'x');
      return join(path, workspace);
    },
    cleanup: async () => destroyAll(root, path),
  };
}

/** Also what a failed test left mounted. */
async function destroyAll(root: string, path: string): Promise<void> {
  const { stdout } = await execa('findmnt', ['--list', '--noheadings', '--output', 'TARGET']);
  const below = stdout.split('\n').filter((mount) => mount.startsWith(`${path}/`));
  for (const mount of below.toReversed()) await execa('umount', [mount]);
  await execa('zfs', ['unmount', root], { reject: false });
  // zfs-fuse lets go of what was unmounted a little later.
  await untilNotBusy(async () => await execa('zfs', ['destroy', '-R', root], { reject: false }));
}

async function untilNotBusy(
  destroy: () => Promise<{ readonly exitCode?: number | undefined; readonly stderr: string }>,
): Promise<void> {
  for (let tries = 0; ; tries++) {
    const { exitCode, stderr } = await destroy();
    if (exitCode === 0) return;
    if (!/busy/.test(stderr) || tries > 300) throw new Error(stderr);
    await sleep(tries < 10 ? 10 : 200);
  }
}

snapshotStoreConformance('ZfsSnapshotStore', makeStore, { modelRuns: 5 });

describe('between two pools', () => {
  let folder: string;
  let otherPool: string;
  beforeAll(async () => {
    folder = await mkdtemp('/var/tmp/other-pool-');
    otherPool = `${POOL}b`;
    await execa('truncate', ['--size=1G', join(folder, 'pool.img')]);
    const options = ['-m', join(folder, 'pool'), '-O', 'compression=on', '-O', 'atime=off'];
    await execa('zpool', ['create', '-o', 'ashift=9', ...options, otherPool, join(folder, 'pool.img')]);
  });
  afterAll(async () => {
    // Steps that other test files run beside this one have their own view of all mounts, and hold them until they end.
    await untilNotBusy(async () => await execa('zpool', ['destroy', '-f', otherPool], { reject: false }));
    await rm(folder, { recursive: true });
  }, 120_000);
  snapshotStoreTransferConformance(
    'ZfsSnapshotStore',
    async (options, place) => makeStore(options, place === 'here' ? POOL : otherPool),
    { keepsPartial: CAN_GO_ON },
  );
});

describe('between two areas of one pool', () => {
  it('makes forks whole, since ZFS would take the nearest snapshot of that guid for the origin', async () => {
    const [here, there] = [await makeStore({ layout: [] }), await makeStore({ layout: [] })];
    try {
      await here.store.startEmpty('main');
      const origin = await here.store.take('main', 'a', {});
      await there.store.receive(origin, null, await here.store.send(origin, null));
      await here.store.startFrom(origin, 'side');
      const fork = await here.store.take('side', 's', {});
      const received = there.store.receive(fork, origin, await here.store.send(fork, origin));
      await expect(received.then(() => 'taken', codeOf)).resolves.toMatch(/^(taken|NOT_FOUND)$/);
      await there.store.receive(fork, null, await here.store.send(fork, null));
      await here.store.destroy('main');
      expect(await there.store.list('side')).toEqual([fork]);
    } finally {
      await here.cleanup();
      await there.cleanup();
    }
  });
});

describe('a stream that would set something', () => {
  it.each(['-p', '-R'])('of zfs send %s is refused before ZFS has seen any of it', async (option) => {
    const [here, there] = [await makeStore({ layout: [] }), await makeStore({ layout: [] })];
    try {
      await here.store.startEmpty('main');
      const checkpoint = await here.store.take('main', 'a', {});
      const dataset = (await zfs('list', '-H', '-o', 'name', join(here.root, 'main'))).trim();
      await zfs('set', 'mountpoint=/etc/hostile', dataset);
      const { stdout } = await execa('zfs', ['send', option, `${dataset}@a`], { encoding: 'buffer' });
      const stream = Readable.from([Buffer.from(stdout)], { objectMode: false });
      await expect(there.store.receive(checkpoint, null, stream).catch(codeOf)).resolves.toBe('BAD_STREAM');
      expect(await there.store.list('main')).toEqual([]);
      await there.store.receive(checkpoint, null, await here.store.send(checkpoint, null));
      expect(await there.store.list('main')).toEqual([checkpoint]);
      expect((await there.store.startFrom(checkpoint, 'main')).path).toBe(join(there.root, 'main'));
    } finally {
      await here.cleanup();
      await there.cleanup();
    }
  });
});

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}

describe('ZfsSnapshotStore and what else is in the pool', () => {
  let area: StoreUnderTest;
  let root: string;
  let a: Checkpoint;
  let b: Checkpoint;

  const contents = async (workspace = 'main'): Promise<readonly string[]> =>
    readdir(join(area.root, workspace, 'tmp'));
  const snapshots = async (): Promise<readonly string[]> =>
    (await zfs('list', '-H', '-r', '-t', 'snapshot', '-o', 'name', root))
      .split('\n')
      .map((name) => name.slice(root.length + 1));

  /** Every way to lose what is newer than `a` is refused, and nothing is lost. */
  async function expectRefused(code: string, named: string): Promise<void> {
    const before = await snapshots();
    const refusal = { code, message: expect.stringContaining(named) };
    await expect(area.store.startFrom(a, 'main')).rejects.toMatchObject(refusal);
    await expect(area.store.startEmpty('main')).rejects.toMatchObject(refusal);
    await expect(area.store.destroy('main')).rejects.toMatchObject(refusal);
    expect(await snapshots()).toEqual(before);
    expect(await contents()).toEqual(['unsaved']);
  }

  beforeEach(async () => {
    area = await makeStore({ layout: ['tmp'] });
    root = `${POOL}/area${made}`;
    await area.store.startEmpty('main');
    a = await area.store.take('main', 'a', {});
    b = await area.store.take('main', 'b', {});
    await writeFile(join(area.root, 'main', 'tmp', 'unsaved'), 'x');
  });
  afterEach(async () => area.cleanup());

  it('destroys no snapshot of somebody else', async () => {
    await zfs('snapshot', `${root}/main@theirs`);
    await expectRefused('FOREIGN_SNAPSHOTS', `${root}/main@theirs`);
    expect(await area.store.list('main')).toEqual([a, b]);
    await expect(area.store.take('main', 'theirs', {})).rejects.toMatchObject({ code: 'EXISTS' });
  });

  it('goes back over what is older, whoever made it', async () => {
    await area.store.startFrom(a, 'main');
    await zfs('snapshot', `${root}/main@theirs`);
    const c = await area.store.take('main', 'c', {});
    await writeFile(join(area.root, 'main', 'tmp', 'x'), 'x');
    await area.store.startFrom(c, 'main');
    expect(await contents()).toEqual([]);
  });

  it('destroys no fork that has a snapshot of somebody else, nor any other fork then', async () => {
    for (const fork of ['lane1', 'lane2', 'lane3']) await area.store.startFrom(b, fork);
    await zfs('snapshot', `${root}/lane2@theirs`);
    await expectRefused('FOREIGN_SNAPSHOTS', `${root}/lane2@theirs`);
    for (const fork of ['lane1', 'lane2', 'lane3']) expect(await contents(fork)).toEqual([]);
  });

  it.each([
    ['beside the area', (area: string) => `${area}_clone`],
    ['in the area', (area: string) => `${area}/clone`],
    ['below another workspace', (area: string) => `${area}/lane/clone`],
  ])('destroys no clone of somebody else %s', async (_, nameIn) => {
    await area.store.startEmpty('lane');
    await zfs('clone', `${root}/main@b`, nameIn(root));
    await expectRefused('FOREIGN_SNAPSHOTS', nameIn(root));
    await zfs('promote', nameIn(root));
    // All up to it has moved over there.
    await expect(area.store.startFrom(a, 'main')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await zfs('promote', `${root}/main`);
    await zfs('unmount', nameIn(root));
    await new ZfsCommand().zfsRetrying(['BUSY'], 'destroy', nameIn(root));
    await area.store.startFrom(a, 'main');
    expect(await contents()).toEqual([]);
  });

  it('destroys and unmounts no dataset that somebody made in a workspace', async () => {
    await zfs('create', `${root}/main/theirs`);
    await expectRefused('FOREIGN_DATA', `${root}/main/theirs`);
    expect((await zfs('get', '-H', '-o', 'value', 'mounted', `${root}/main/theirs`)).trim()).toBe('yes');
  });

  it('takes no checkpoint of a dataset that is not its workspace, or not mounted', async () => {
    await zfs('create', `${root}/theirs`);
    await expect(area.store.take('theirs', 'c', {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await zfs('unmount', `${root}/main`);
    await writeFile(join(area.root, 'main', 'beside'), 'not in the dataset');
    await expect(area.store.take('main', 'c', {})).rejects.toMatchObject({ code: 'BACKEND_DOWN' });
    expect(await snapshots()).toEqual(['main@empty', 'main@a', 'main@b']);
    await rm(join(area.root, 'main', 'beside'));
  });

  it('refuses while another mount namespace has the workspace, before anything is lost', async () => {
    const lane = await area.store.startFrom(b, 'lane');
    await area.store.take('lane', 'c', {});
    const holder = await holdMounts('private');
    try {
      await expectRefused('BUSY', `${holder.pid} (sleep)`);
      const refusal = { code: 'BUSY', message: expect.stringContaining(`${holder.pid} (sleep)`) };
      await expect(area.store.startFrom(b, 'lane')).rejects.toMatchObject(refusal);
      await expect(area.store.destroy('lane')).rejects.toMatchObject(refusal);
      expect(await readdir(lane.path)).toEqual(['tmp']);
      expect(await area.store.list('lane')).toHaveLength(1);
    } finally {
      await holder.end();
    }
    await area.store.startFrom(a, 'main');
    expect(await contents()).toEqual([]);
  });

  it('does not mind a mount namespace that hears of the unmounting', async () => {
    await execa('mount', ['--make-shared', area.root]);
    const holder = await holdMounts('slave');
    try {
      await area.store.startFrom(a, 'main');
      expect(await contents()).toEqual([]);
    } finally {
      await holder.end();
    }
  });

  it('drops no held checkpoint', async () => {
    await zfs('hold', 'keep', `${root}/main@b`);
    await expectRefused('PINNED', `${root}/main@b`);
    await zfs('release', 'keep', `${root}/main@b`);
    await area.store.startFrom(a, 'main');
  });

  it('counts the snapshots of its own dataset only, not those of one whose path ends alike', async () => {
    await zfs('create', '-p', `${root}/x/${root}/main`);
    await zfs('snapshot', `${root}/x/${root}/main@c`);
    await zfs('create', `${root}/main2`);
    await zfs('snapshot', `${root}/main2@c`);
    expect(await area.store.list('main')).toEqual([a, b]);
    await area.store.startFrom(a, 'main');
    expect(await snapshots()).toEqual(expect.arrayContaining([`x/${root}/main@c`, 'main2@c']));
  });

  it('leaves a dataset alone that has the name of its reserve', async () => {
    await zfs('destroy', `${root}/reserve`);
    await zfs('create', `${root}/reserve`);
    await expect(area.store.startEmpty('main')).rejects.toMatchObject({ code: 'FOREIGN_DATA' });
    expect(await contents()).toEqual(['unsaved']);
  });

  it('gets its reserve back', async () => {
    await zfs('set', 'reservation=none', `${root}/reserve`);
    await area.store.startFrom(a, 'main');
    expect(Number(await zfs('get', '-Hp', '-o', 'value', 'reservation', `${root}/reserve`))).toBeGreaterThan(
      1e6,
    );
  });

  it.each([
    [
      'a dataset that was created, and no more',
      async () => zfs('create', '-o', 'org.distrofarm:role=workspace', `${root}/new`),
    ],
    ['a fork that was left over', async () => area.store.startFrom(a, 'new')],
    [
      'a dataset that is not mounted',
      async () => area.store.startEmpty('new').then(async () => zfs('unmount', `${root}/new`)),
    ],
  ])('starts over %s', async (_, leave) => {
    await leave();
    await area.reopen().startEmpty('new');
    expect(await readdir(join(area.root, 'new'))).toEqual(['tmp']);
    await zfs('unmount', `${root}/new`);
    await area.reopen().startFrom(b, 'new');
    expect(await readdir(join(area.root, 'new'))).toEqual(['tmp']);
  });

  it('finds its way in hundreds of snapshots', async () => {
    const one = `zfs snapshot -o org.distrofarm:checkpoint=s$n ${root}/main@s$n`;
    await execa('bash', ['-ec', `for n in $(seq 200); do ${one}; done`]);
    expect(await area.store.list('main')).toHaveLength(202);
    await area.store.take('main', 'last', {});
    expect((await area.store.list('main')).at(-1)?.label).toBe('last');
  });

  it('logs every call with its end', async () => {
    const calls: ZfsCall[] = [];
    const store = new ZfsSnapshotStore({
      root: parseDatasetName(root),
      layout: ['tmp'],
      zfs: new ZfsCommand((call) => calls.push(call)),
    });
    await expect(store.take('main', 'a', {})).rejects.toMatchObject({ code: 'EXISTS' });
    expect(calls.map(({ argv }) => argv.slice(0, 2).join(' '))).toEqual([
      'zfs get',
      'sync --file-system',
      'zfs snapshot',
    ]);
    expect(calls.at(-1)).toEqual({
      argv: expect.arrayContaining(['zfs', 'snapshot', `${root}/main@a`]),
      durationMs: expect.any(Number),
      exitStatus: 1,
    });
  });
});

/** A process in a mount namespace of its own, with all that is mounted now. */
async function holdMounts(
  propagation: 'private' | 'slave',
): Promise<{ readonly pid: number; readonly end: () => Promise<void> }> {
  const command = ['--mount', '--propagation', propagation, 'sh', '-c', 'echo ready; exec sleep 1000'];
  const holder = spawn('unshare', command, { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(holder.stdout, 'data');
  return {
    pid: holder.pid ?? 0,
    end: async () => {
      holder.kill('SIGKILL');
      if (holder.exitCode === null && holder.signalCode === null) await once(holder, 'exit');
    },
  };
}

describe('ZfsSnapshotStore on a pool that is full to the brim', () => {
  let folder: string;
  const small = `${POOL}small`;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'small-pool-'));
    await execa('fallocate', ['-l', '128M', join(folder, 'image')]);
    await execa('zpool', [
      'create',
      '-o',
      'ashift=9',
      '-m',
      join(folder, 'pool'),
      small,
      join(folder, 'image'),
    ]);
  });
  afterEach(async () => {
    await execa('zfs', ['unmount', '-a'], { reject: false });
    await execa('zpool', ['destroy', '-f', small]);
    await execa('zfs', ['mount', '-a'], { reject: false });
    await rm(folder, { recursive: true });
  });

  it('goes back, thanks to its reserve', async () => {
    const root = parseDatasetName(`${small}/area`);
    await createDataset(root);
    const store = new ZfsSnapshotStore({ root, layout: ['tmp'] });
    const { path } = await store.startEmpty('main');
    const a = await store.take('main', 'a', {});
    const fill = execa('dd', ['if=/dev/urandom', `of=${join(path, 'tmp', 'filler')}`, 'bs=1M'], {
      reject: false,
    });
    expect((await fill).stderr).toMatch(/No space left|quota exceeded/);
    await store.startFrom(a, 'main');
    expect(await readdir(join(path, 'tmp'))).toEqual([]);
    expect(await store.list('main')).toEqual([a]);
    expect(Number(await zfs('get', '-Hp', '-o', 'value', 'reservation', `${root}/reserve`))).toBeGreaterThan(
      1e6,
    );
  });
});

// A real `zfs` client, in a namespace where the daemon's socket is not, or is one that nobody listens at.
describe.each([
  ['is not there', ''],
  [
    'died',
    'perl -MIO::Socket::UNIX -e \'IO::Socket::UNIX->new(Local => "/run/zfs/zfs_socket", Listen => 1)\'',
  ],
])('ZfsSnapshotStore when the daemon %s', (_, leaveSocket) => {
  const itOnFuse = existsSync('/dev/zfs') ? it.skip : it;
  const { PATH } = process.env;
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dead-daemon-'));
    const real = (await execa('which', ['zfs'])).stdout;
    const inside = `mount -t tmpfs none /run/zfs\n${leaveSocket}\nexec ${real} "$@"`;
    await mkdir(join(folder, 'bin'));
    await writeFile(join(folder, 'inside'), inside);
    await writeFile(
      join(folder, 'bin', 'zfs'),
      `#!/bin/sh\nexec unshare --mount sh ${join(folder, 'inside')} "$@"\n`,
    );
    await chmod(join(folder, 'bin', 'zfs'), 0o755);
    process.env['PATH'] = [join(folder, 'bin'), PATH].join(delimiter);
  });
  afterEach(async () => {
    process.env['PATH'] = PATH;
    await rm(folder, { recursive: true });
  });

  itOnFuse('says so at once, whatever is asked', async () => {
    const store = new ZfsSnapshotStore({ root: parseDatasetName(`${POOL}/down`), layout: [] });
    const down = { code: 'BACKEND_DOWN', hint: expect.stringContaining('zpool status') };
    await expect(store.startEmpty('main')).rejects.toMatchObject(down);
    await expect(store.list('main')).rejects.toMatchObject(down);
    await expect(store.take('main', 'a', {})).rejects.toMatchObject(down);
    await expect(store.destroy('main')).rejects.toMatchObject(down);
    await expect(store.space()).rejects.toMatchObject(down);
    await expect(
      new ZfsCommand().zfsRetrying(['BACKEND_DOWN'], 'rollback', `${POOL}/down@a`),
    ).rejects.toMatchObject(down);
  });
});

it('says what to install where there is no ZFS', async () => {
  const { PATH } = process.env;
  process.env['PATH'] = '/nowhere';
  try {
    await expect(new ZfsCommand().zfs('list')).rejects.toMatchObject({
      code: 'BACKEND_DOWN',
      hint: expect.stringContaining('zfs-fuse'),
    });
  } finally {
    process.env['PATH'] = PATH;
  }
});
