// Needs root, btrfs-progs, loop devices and a kernel with btrfs; each test makes a file system of its own in a sparse file.
import type { SnapshotStore } from '#libs/engine';
import type { Checkpoint } from '#libs/plan';
import { BtrfsAreas, BtrfsCommand, BtrfsSnapshotStore, isBtrfsFolder, type BtrfsCall } from '#libs/snapshots';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execa } from 'execa';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  snapshotStoreConformance,
  type StoreOptions,
  type StoreUnderTest,
} from '../../libs/engine/src/snapshot-store-conformance.js';
import { snapshotStoreTransferConformance } from '../../libs/engine/src/snapshot-store-transfer-conformance.js';
import { describeTree } from '../../libs/engine/src/snapshot-store-trees-conformance.js';
import { areasConformance } from '../../libs/snapshots/src/areas-conformance.js';
import { frameStream } from '../../libs/snapshots/src/btrfs/checkpoint-stream.js';
import { encodeCommand } from '../../libs/snapshots/src/btrfs/send-stream.js';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
/** Smaller ones need data and metadata in the same block groups: mkfs.btrfs(8), --mixed. */
const SMALLEST_PLAIN = GiB / 8;

interface FileSystem {
  readonly path: string;
  /** Goes on with what has been written to the disk by now, as after a power failure. */
  readonly loseTheRest: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** A btrfs of that size, mounted. The loop device goes with its last mount. */
async function makeFileSystem(sizeBytes = 2 * GiB): Promise<FileSystem> {
  const folder = await mkdtemp(join(tmpdir(), 'btrfs-test-'));
  const [image, path] = [join(folder, 'image'), join(folder, 'mounted')];
  const mount = async (): Promise<unknown> => execa('mount', ['-t', 'btrfs', '-o', 'loop', image, path]);
  const remove = async (): Promise<void> => {
    // What a failed test left busy goes a little later.
    const { failed } = await execa('umount', ['--recursive', path], { reject: false });
    if (failed) await execa('umount', ['--recursive', '--lazy', path], { reject: false });
    await rm(folder, { recursive: true });
  };
  try {
    await writeFile(image, '');
    await truncate(image, sizeBytes);
    await execa('mkfs.btrfs', ['--quiet', ...(sizeBytes < SMALLEST_PLAIN ? ['--mixed'] : []), image]);
    await mkdir(path);
    await mount();
  } catch (error) {
    await remove();
    throw error;
  }
  const loseTheRest = async (): Promise<void> => {
    await execa('cp', ['--sparse=always', image, `${image}.now`]);
    await execa('umount', [path]);
    await rename(`${image}.now`, image);
    await mount();
  };
  return { path, loseTheRest, remove };
}

async function makeStore({ layout, sizeBytes }: StoreOptions): Promise<StoreUnderTest> {
  const { path: root, remove } = await makeFileSystem(sizeBytes);
  const open = (): BtrfsSnapshotStore => new BtrfsSnapshotStore({ root, layout });
  return {
    store: open(),
    root,
    reopen: open,
    makeForeign: async (workspace) => makeForeign(join(root, workspace)),
    cleanup: remove,
  };
}

async function makeForeign(path: string): Promise<string> {
  await execa('btrfs', ['subvolume', 'create', path]);
  await writeFile(join(path, 'precious'), 'x');
  return path;
}

snapshotStoreConformance('BtrfsSnapshotStore', makeStore, { modelRuns: 5 });
snapshotStoreTransferConformance('BtrfsSnapshotStore', makeStore);
areasConformance(async () => {
  const { path, remove } = await makeFileSystem();
  const root = join(path, 'areas');
  const areas = new BtrfsAreas({ root, layout: ['pkg_image', 'tmp'] });
  await areas.prepare();
  return { areas, root, makeForeign: async (name) => makeForeign(join(root, name)), cleanup: remove };
});

describe('BtrfsSnapshotStore and what else is there', () => {
  let area: StoreUnderTest;
  beforeEach(async () => {
    area = await makeStore({ layout: ['tmp'] });
    await area.store.startEmpty('main');
  });
  afterEach(async () => area.cleanup());

  const path = (...below: readonly string[]): string => join(area.root, ...below);
  const contents = async (workspace = 'main'): Promise<readonly string[]> => readdir(path(workspace, 'tmp'));
  const subvolumes = async (): Promise<readonly string[]> => {
    const { stdout } = await execa('btrfs', ['subvolume', 'list', area.root]);
    return [...stdout.matchAll(/ path (.*)$/gm)].map(([, name]) => name ?? '').toSorted();
  };
  const makeSubvolume = async (...below: readonly string[]): Promise<unknown> =>
    execa('btrfs', ['subvolume', 'create', path(...below)]);

  it.each([
    ['a folder', async () => mkdir(path('other'))],
    ['a link to a workspace', async () => symlink('main', path('other'))],
    [
      'a snapshot of a workspace',
      async () => execa('btrfs', ['subvolume', 'snapshot', path('main'), path('other')]),
    ],
  ])('leaves %s alone that is where a workspace should be', async (_, make) => {
    const a = await area.store.take('main', 'a', {});
    await make();
    const foreign = { code: 'FOREIGN_DATA', message: expect.stringContaining(path('other')) };
    await expect(area.store.startEmpty('other')).rejects.toMatchObject(foreign);
    await expect(area.store.startFrom(a, 'other')).rejects.toMatchObject(foreign);
    await expect(area.store.destroy('other')).rejects.toMatchObject(foreign);
    expect(existsSync(path('other'))).toBe(true);
  });

  it('leaves checkpoints alone that were copied', async () => {
    await area.store.destroy('main');
    await execa('btrfs', ['subvolume', 'delete', path('.checkpoints')]);
    await mkdir(path('.checkpoints', 'main', 'a'), { recursive: true });
    await writeFile(path('.checkpoints', 'main', 'a', 'record.json'), '{"id":"1","sequence":1,"facts":{}}');
    expect(await area.store.list('main')).toEqual([]);
    await expect(area.store.startEmpty('main')).rejects.toMatchObject({ code: 'FOREIGN_DATA' });
    expect(await isBtrfsFolder(area.root)).toBe(false);
  });

  it('takes no checkpoint that would lose what is in a subvolume of the workspace', async () => {
    await makeSubvolume('main', 'tmp', 'inner');
    const refusal = { code: 'FAILED', message: expect.stringContaining('main/tmp/inner') };
    await expect(area.store.take('main', 'a', {})).rejects.toMatchObject(refusal);
    expect(await area.store.list('main')).toEqual([]);
    expect(await subvolumes()).toEqual(['.checkpoints', 'main', 'main/tmp/inner']);
  });

  it('drops subvolumes with the workspace that they were made in', async () => {
    const a = await area.store.take('main', 'a', {});
    const starts = [
      async () => area.store.startFrom(a, 'main'),
      async () => area.store.startEmpty('main'),
      async () => area.store.destroy('main'),
    ];
    for (const start of starts) {
      await makeSubvolume('main', 'tmp', 'in ner');
      await makeSubvolume('main', 'tmp', 'in ner', 'new\nline');
      await execa('btrfs', [
        'subvolume',
        'snapshot',
        '-r',
        path('main', 'tmp', 'in ner'),
        path('main', 'frozen'),
      ]);
      await start();
      expect((await subvolumes()).filter((name) => name.startsWith('main/'))).toEqual([]);
    }
    expect(await subvolumes()).toEqual(['.checkpoints']);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['between the renames of a swap', async () => rename(path('main'), path('.checkpoints/main/.outgoing'))],
    ['with a new tree half made', async () => makeSubvolume('.checkpoints/main/.incoming')],
    [
      'while a checkpoint was taken or received',
      async () => {
        await mkdir(path('.checkpoints/main/.taking'));
        await makeSubvolume('.checkpoints/main/.taking/tree');
        await makeSubvolume('.checkpoints/main/.taking/base');
      },
    ],
    ['while a checkpoint was dropped', async () => rm(path('.checkpoints/main/b/record.json'))],
  ])('goes on where the end came %s', async (_, leave) => {
    const a = await area.store.take('main', 'a', {});
    await area.store.take('main', 'b', {});
    await writeFile(path('main', 'tmp', 'unsaved'), 'x');
    await leave();
    const store = area.reopen();
    await store.startFrom(a, 'main');
    expect(await contents()).toEqual([]);
    const b = await store.take('main', 'b', {});
    expect(await store.list('main')).toEqual([a, b]);
    expect(await subvolumes()).toEqual([
      '.checkpoints',
      '.checkpoints/main/a/tree',
      '.checkpoints/main/b/tree',
      'main',
    ]);
  });

  it('logs every call with its end', async () => {
    const calls: BtrfsCall[] = [];
    const btrfs = new BtrfsCommand((call) => calls.push(call));
    await new BtrfsSnapshotStore({ root: area.root, layout: [], btrfs }).take('main', 'a', {});
    expect(
      calls.map(({ argv, exitStatus }) => [...argv.slice(0, 3), exitStatus].join(' ')).toSorted(),
    ).toEqual(['btrfs subvolume list 0', 'btrfs subvolume snapshot 0']);
  });

  it('is chosen for folders on btrfs, which need not be there yet, and for no others', async () => {
    expect(await isBtrfsFolder(path('not', 'yet'))).toBe(true);
    expect(await subvolumes()).toEqual(['.checkpoints', 'main']);
    expect(await isBtrfsFolder('/proc')).toBe(false);
    await execa('mount', ['--bind', '-o', 'ro', path('main'), path('main')]);
    expect(await isBtrfsFolder(path('main', 'tmp'))).toBe(false);
    await execa('umount', [path('main')]);
  });

  it('says what to install where there is no btrfs', async () => {
    const { PATH } = process.env;
    process.env['PATH'] = '/nowhere';
    try {
      expect(await isBtrfsFolder(area.root)).toBe(false);
      await expect(area.store.startEmpty('main')).rejects.toMatchObject({
        code: 'BACKEND_DOWN',
        hint: expect.stringContaining('btrfs-progs'),
      });
    } finally {
      process.env['PATH'] = PATH;
    }
  });
});

describe('streams between two areas of one file system', () => {
  let fileSystem: FileSystem;
  let here: SnapshotStore;
  let there: SnapshotStore;
  const path = (...below: readonly string[]): string => join(fileSystem.path, ...below);

  beforeEach(async () => {
    fileSystem = await makeFileSystem();
    const areas = new BtrfsAreas({ root: path('areas'), layout: ['tmp'] });
    await areas.prepare();
    here = (await areas.open('here')).store;
    there = (await areas.open('there')).store;
    await here.startEmpty('main');
  });
  afterEach(async () => fileSystem.remove());

  it('go forth and back, with data that is shared with the base', async () => {
    await writeFile(path('areas/here/main/tmp/first'), randomBytes(MiB));
    let base = await here.take('main', 'c0', {});
    await there.receive(base, null, await here.send(base, null));
    await there.startFrom(base, 'main');
    const rounds = [
      { from: there, to: here, area: 'there' },
      { from: here, to: there, area: 'here' },
      { from: there, to: here, area: 'there' },
    ];
    for (const [round, { from, to, area }] of rounds.entries()) {
      const [old, copy] = [
        path('areas', area, 'main/tmp/first'),
        path('areas', area, `main/tmp/copy${round}`),
      ];
      await execa('cp', ['--reflink=always', old, copy]);
      // What is left to take from is the base's.
      await truncate(old, 0);
      await execa('cp', ['--reflink=always', copy, old]);
      const next = await from.take('main', `c${round + 1}`, {});
      const stream = await from.send(next, base);
      let bytes = 0;
      stream.on('data', (chunk: Buffer) => (bytes += chunk.length)).pause();
      await to.receive(next, base, stream);
      expect(bytes).toBeLessThan(100_000);
      await to.startFrom(next, 'main');
      base = next;
    }
    const trees = await Promise.all(
      ['here', 'there'].map((area) => describeTree(path('areas', area, 'main'))),
    );
    expect(trees[0]).toEqual(trees[1]);
    expect(trees[0]).toHaveLength(6);
  });

  it('are on disk when they have been received, as is what was taken', async () => {
    await writeFile(path('areas/here/main/tmp/random'), randomBytes(MiB));
    const a = await here.take('main', 'a', {});
    await fileSystem.loseTheRest();
    expect(await here.list('main')).toEqual([a]);
    await here.startFrom(a, 'main');
    await there.receive(a, null, await here.send(a, null));
    await fileSystem.loseTheRest();
    expect(await there.list('main')).toEqual([a]);
    await there.startFrom(a, 'main');
    const trees = await Promise.all(
      ['here', 'there'].map(async (area) => describeTree(path('areas', area, 'main'))),
    );
    expect(trees[1]).toEqual(trees[0]);
  });

  it('leave no mount, no process and no half tree behind, however they end', async () => {
    const a = await here.take('main', 'a', {});
    await there.receive(a, null, await here.send(a, null));
    await writeFile(path('areas/here/main/tmp/more'), randomBytes(32 * MiB));
    const b = await here.take('main', 'b', {});
    const stream = await here.send(b, a);
    stream.once('readable', () => setTimeout(() => stream.destroy(), 50));
    await expect(there.receive(b, a, stream)).rejects.toMatchObject({ code: 'BAD_STREAM' });
    expect(await readdir(path('areas/there/.checkpoints/main'))).toEqual(['.workspace.json', 'a']);
    expect((await execa('findmnt', ['--list', '--noheadings', '--output', 'TARGET'])).stdout).not.toContain(
      '.checkpoints',
    );
    const { stdout } = await execa('ps', ['-eo', 'args']);
    expect(
      stdout.split('\n').filter((line) => line.includes(fileSystem.path) && line.includes('btrfs')),
    ).toEqual([]);
  });
});

describe('a stream that means harm', () => {
  const [SUBVOLUME, SNAPSHOT, MKFILE, MKDIR, MKNOD, SYMLINK, WRITE, CLONE, CHMOD, END] = [
    1, 2, 3, 4, 5, 8, 15, 16, 18, 21,
  ];
  const [UUID, GENERATION, INODE, MODE, RDEV, PATH, PATH_LINK, OFFSET, DATA] = [
    1, 2, 3, 5, 8, 15, 17, 18, 19,
  ];
  const [CLONE_UUID, CLONE_GENERATION, CLONE_PATH, CLONE_OFFSET, CLONE_LENGTH] = [20, 21, 22, 23, 24];
  const text = (value: string): Buffer => Buffer.from(value);
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return bytes;
  };
  const BASE = Buffer.alloc(16, 2);
  const made = (type: number, name: string, ...more: readonly (readonly [number, Buffer])[]): Buffer =>
    encodeCommand(type, [[PATH, text(name)], [INODE, number(300)], ...more]);
  const written = (name: string): Buffer =>
    encodeCommand(WRITE, [
      [PATH, text(name)],
      [OFFSET, number(0)],
      [DATA, text('harm')],
    ]);
  const clone = (name: string): Buffer =>
    encodeCommand(CLONE, [
      [PATH, text('copy')],
      [OFFSET, number(0)],
      [CLONE_LENGTH, number(4096)],
      [CLONE_UUID, BASE],
      [CLONE_GENERATION, number(1)],
      [CLONE_PATH, text(name)],
      [CLONE_OFFSET, number(0)],
    ]);

  let fileSystem: FileSystem;
  let store: BtrfsSnapshotStore;
  const path = (...below: readonly string[]): string => join(fileSystem.path, ...below);
  const announced = { id: randomUUID(), workspace: 'main', label: 'a', facts: {} };

  async function receive(base: Checkpoint | null, ...commands: readonly Buffer[]): Promise<void> {
    const beginning = encodeCommand(base === null ? SUBVOLUME : SNAPSHOT, [
      [PATH, text('tree')],
      [UUID, Buffer.alloc(16, 1)],
      [GENERATION, number(1)],
      ...(base === null
        ? []
        : ([
            [CLONE_UUID, BASE],
            [CLONE_GENERATION, number(1)],
          ] as const)),
    ]);
    const all = [text('btrfs-stream\0\x01\0\0\0'), beginning, ...commands, encodeCommand(END, [])];
    const sent = Readable.from([Buffer.concat(all)], { objectMode: false });
    const times = await lstat(fileSystem.path, { bigint: true });
    await store.receive(announced, base, frameStream(sent, { checkpoint: announced, base, times }));
  }

  beforeEach(async () => {
    fileSystem = await makeFileSystem();
    store = new BtrfsSnapshotStore({ root: fileSystem.path, layout: ['tmp'] });
    await writeFile(path('secret'), 'secret'.repeat(2000), { mode: 0o600 });
  });
  afterEach(async () => fileSystem.remove());

  it('would be taken without the harm', async () => {
    await receive(null, made(MKDIR, 'tmp'), made(MKFILE, 'tmp/a'), written('tmp/a'));
    await store.startFrom(announced, 'main');
    expect(await readFile(path('main/tmp/a'), 'utf8')).toBe('harm');
  });

  it('writes to no device', async () => {
    await writeFile(path('disk'), 'precious'.repeat(1024));
    const device = (await execa('losetup', ['--find', '--show', path('disk')])).stdout;
    try {
      const { mode, rdev } = await stat(device);
      const node = made(MKNOD, 'disk', [MODE, number(mode)], [RDEV, number(rdev)]);
      await expect(receive(null, node, written('disk'))).rejects.toMatchObject({
        code: 'BAD_STREAM',
        message: expect.stringContaining('Permission denied'),
      });
      await execa('sync', [device]);
      expect(await readFile(device, 'latin1')).toBe('precious'.repeat(1024));
    } finally {
      await execa('losetup', ['--detach', device]);
    }
  });

  it.each(['secret', '../../../secret', '/secret'])('follows no link to %s', async (target) => {
    const link = made(SYMLINK, 'link', [PATH_LINK, text(target === 'secret' ? path('secret') : target)]);
    for (const harm of [
      written('link'),
      encodeCommand(CHMOD, [
        [PATH, text('link')],
        [MODE, number(0o777)],
      ]),
    ]) {
      await expect(receive(null, link, harm)).rejects.toMatchObject({
        code: 'BAD_STREAM',
        message: expect.stringMatching(/Too many levels of symbolic links|No such file/),
      });
    }
    expect(await readFile(path('secret'), 'utf8')).toBe('secret'.repeat(2000));
    expect((await stat(path('secret'))).mode & 0o777).toBe(0o600);
  });

  it('reads nothing from behind a link of its base', async () => {
    await store.startEmpty('main');
    await symlink('../../../..', path('main', 'out'));
    const base = await store.take('main', 'base', {});
    await expect(receive(base, made(MKFILE, 'copy'), clone('out/secret'))).rejects.toMatchObject({
      code: 'BAD_STREAM',
      message: expect.stringContaining('Too many levels of symbolic links'),
    });
    expect(await store.list('main')).toEqual([base]);
  });

  it('does not wait for ever', async () => {
    const btrfs = new BtrfsCommand(() => {}, 1000);
    store = new BtrfsSnapshotStore({ root: fileSystem.path, layout: ['tmp'], btrfs });
    await store.startEmpty('main');
    await execa('mkfifo', [path('main', 'fifo')]);
    const base = await store.take('main', 'base', {});
    await expect(receive(base, made(MKFILE, 'copy'), clone('fifo'))).rejects.toMatchObject({
      code: 'BAD_STREAM',
    });
    expect(await store.list('main')).toEqual([base]);
  });

  it('does not get out of its folder by what is in the folder', async () => {
    await expect(
      receive(null, made(SYMLINK, 'a', [PATH_LINK, text('..')]), made(MKFILE, 'a/b')),
    ).rejects.toMatchObject({ code: 'BAD_STREAM' });
    expect(await readdir(path('.checkpoints/main'))).toEqual([]);
  });
});
