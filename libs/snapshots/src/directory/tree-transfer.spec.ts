// needs: root, GNU tar, mounts
import { SnapshotStoreError } from '#libs/engine';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { describeTree } from '../../../engine/src/snapshot-store-trees-conformance.js';
import { inPieces, makeRecord, makeTar, readAll, type MadeMember } from './testing.js';
import { encodeTree } from './tree-stream.js';
import { receiveTree, sendTree } from './tree-transfer.js';

const MiB = 1024 * 1024;
let folder: string;
const at = (...path: readonly string[]): string => join(folder, ...path);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tree-transfer-'));
  for (const name of ['base', 'arriving', 'outside']) await mkdir(at(name));
  await writeFile(at('outside', 'precious'), 'x');
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

const TOP: MadeMember = { name: './', type: '5' };
const evil = (name: string): MadeMember => ({ name, content: 'evil' });

/** Of a tar that somebody made by hand; all else about it is right. */
async function receiveMade(
  members: readonly MadeMember[],
  { base = null, removed = [] }: { base?: string | null; removed?: readonly string[] } = {},
): Promise<void> {
  const head = {
    id: 'made',
    base: base === null ? null : 'base',
    removed: removed.map((path) => Buffer.from(path)),
  };
  const stream = Readable.from(encodeTree(head, inPieces(makeTar(...members), 4096)), { objectMode: false });
  const kept = base === null ? null : { id: 'base', tree: base };
  await receiveTree(stream, { id: 'made', base: kept }, at('arriving'));
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof SnapshotStoreError) return error.code;
    throw error;
  }
  return 'none';
}

/** Whatever could be reached from here. */
async function surroundings(): Promise<unknown> {
  const { nlink, mtimeMs, ctimeMs } = await stat('/etc/passwd');
  return {
    passwd: { nlink, mtimeMs, ctimeMs },
    above: (await readdir(folder)).toSorted(),
    outside: await describeTree(at('outside')),
    base: await describeTree(at('base')),
  };
}

describe('receiveTree, of a stream that somebody made by hand', () => {
  const linkTo = (name: string, target: string): MadeMember => ({ name, type: '2', link: target });
  it.each<[string, (outside: string) => readonly MadeMember[]]>([
    ['..', () => [TOP, evil('../../evil')]],
    ['.. that becomes one later', () => [TOP, { name: 'a/', type: '5' }, evil('a/../../../evil')]],
    ['an absolute name', (outside) => [TOP, evil(`${outside}/evil`)]],
    ['a file through an absolute link', (outside) => [TOP, linkTo('l', outside), evil('l/evil')]],
    ['a file through a relative link', () => [TOP, linkTo('l', '../../outside'), evil('l/evil')]],
    ['a file in place of a link', (outside) => [TOP, linkTo('l', `${outside}/precious`), evil('l')]],
    ['a hard link to outside', () => [TOP, { name: 'l', type: '1', link: '/etc/passwd' }]],
    ['a hard link upwards', () => [TOP, { name: 'l', type: '1', link: '../../outside/precious' }, evil('l')]],
    [
      'a name in a header',
      (outside) => [TOP, { name: 'x', type: 'x', content: makeRecord('path', `${outside}/evil`) }, evil('a')],
    ],
    ['a top that leads away', (outside) => [linkTo('./', outside), evil('evil')]],
  ])('refuses %s, and changes nothing outside', async (_, members) => {
    for (const base of [null, at('base')]) {
      await symlink(at('outside'), at('base', `l-${String(base === null)}`));
      const before = await surroundings();
      expect(await codeOf(receiveMade(members(at('outside')), { base }))).toBe('BAD_STREAM');
      expect(await surroundings()).toEqual(before);
      await rm(at('arriving'), { recursive: true });
      await mkdir(at('arriving'));
    }
  });

  it('does not follow the links of the base', async () => {
    await symlink(at('outside'), at('base', 'out'));
    await mkdir(at('base', 'kept'));
    await writeFile(at('base', 'kept', 'file'), 'old');
    const before = await surroundings();
    const folders: readonly MadeMember[] = [TOP, { name: 'out/', type: '5' }];
    const removed = [
      'out/precious',
      'kept/../out/precious',
      at('outside', 'precious'),
      '../outside/precious',
    ];
    expect(await codeOf(receiveMade([TOP, evil('out/evil')], { base: at('base') }))).toBe('BAD_STREAM');
    await rm(at('arriving'), { recursive: true });
    await mkdir(at('arriving'));
    await receiveMade([...folders, evil('out/evil'), { name: 'kept', type: '2', link: at('outside') }], {
      base: at('base'),
      removed,
    });
    expect(await surroundings()).toEqual(before);
    expect(await readdir(at('arriving', 'tree', 'out'))).toEqual(['evil']);
    expect(await readlink(at('arriving', 'tree', 'kept'))).toBe(at('outside'));
  });

  it('does not write into the files of the base', async () => {
    for (const name of ['replaced', 'kept', 'gone']) await writeFile(at('base', name), 'old');
    const before = await describeTree(at('base'));
    await receiveMade([TOP, { name: 'replaced', content: 'new' }], { base: at('base'), removed: ['gone'] });
    expect(await readFile(at('arriving', 'tree', 'replaced'), 'utf8')).toBe('new');
    expect((await readdir(at('arriving', 'tree'))).toSorted()).toEqual(['kept', 'replaced']);
    expect((await stat(at('arriving', 'tree', 'kept'))).ino).toBe((await stat(at('base', 'kept'))).ino);
    expect(await readdir(at('arriving'))).toEqual(['tree']);
    await rm(at('arriving'), { recursive: true });
    expect(await describeTree(at('base'))).toEqual(before);
  });

  it('refuses attributes that the file system cannot keep', async () => {
    await promisify(execFile)('mount', ['-t', 'ramfs', 'none', at('arriving')]);
    try {
      const header = { name: 'x', type: 'x', content: makeRecord('SCHILY.xattr.user.note', '1') };
      await expect(receiveMade([TOP, header, { name: 'a' }])).rejects.toMatchObject({
        code: 'FAILED',
        message: expect.stringContaining('user.note'),
      });
    } finally {
      await promisify(execFile)('umount', [at('arriving')]);
    }
  });
});

describe('sendTree', () => {
  const sendBase = async (): Promise<Readable> => sendTree({ id: 'base', tree: at('base') }, null);
  async function runningOn(path: string): Promise<number> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const commands = await Promise.all(
      pids.map(async (pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
    );
    return commands.filter((command) => command.includes(path)).length;
  }

  it('runs nothing before it is read, nor once it is destroyed', async () => {
    await writeFile(at('base', 'large'), randomBytes(8 * MiB));
    const unread = await sendBase();
    expect(await runningOn(at('base'))).toBe(0);
    unread.destroy();
    const stream = await sendBase();
    await once(stream, 'readable');
    stream.read();
    await once(stream, 'readable');
    expect(await runningOn(at('base'))).toBe(1);
    stream.destroy();
    await once(stream, 'close');
    expect(await runningOn(at('base'))).toBe(0);
  });

  it('fails when something is gone', async () => {
    for (const name of ['a', 'b', 'c']) await writeFile(at('base', name), 'x');
    const stream = await sendBase();
    await rm(at('base', 'b'));
    await expect(readAll(stream)).rejects.toMatchObject({
      code: 'FAILED',
      message: expect.stringContaining('b'),
    });
  });

  it('is whole when a file gets another name meanwhile, as the next checkpoint gives it', async () => {
    await writeFile(at('base', 'large'), randomBytes(8 * MiB));
    const stream = await sendBase();
    await once(stream, 'readable');
    await link(at('base', 'large'), at('outside', 'large'));
    await receiveTree(stream, { id: 'base', base: null }, at('arriving'));
    expect(await describeTree(at('arriving', 'tree'))).toEqual(
      (await describeTree(at('base'))).map((line) => line.replace('644 0:0 2', '644 0:0 1')),
    );
  });

  it('sends again only what is another file', async () => {
    await writeFile(at('base', 'large'), randomBytes(8 * MiB));
    await mkdir(at('next'));
    await link(at('base', 'large'), at('next', 'large'));
    await writeFile(at('next', 'small'), 'x');
    const base = { id: 'base', tree: at('base') };
    const stream = await readAll(await sendTree({ id: 'next', tree: at('next') }, base));
    expect(stream.length).toBeLessThan(100_000);
  });
});
