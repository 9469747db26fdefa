import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Workspace } from '#libs/engine';
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CopyOutputs } from './copy-outputs.js';
import { treeDigest } from './tree-digest.js';

let folder: string;
let from: Workspace;
let to: Workspace;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'copy-outputs-'));
  from = { name: 'lane', path: join(folder, 'from') };
  to = { name: 'main', path: join(folder, 'to') };
  for (const { path } of [from, to]) await mkdir(join(path, 'pkg_image'), { recursive: true });
});
afterEach(async () => rm(folder, { recursive: true }));

const carry = async (path: string): Promise<string> =>
  await new CopyOutputs().carry({ lane: 'lane', path, workspace: 'lane' }, to, () => Promise.resolve(from));

describe('CopyOutputs', () => {
  it('carries a tree as it is, in place of what is there', async () => {
    const source = join(from.path, 'pkg_image/boot');
    await mkdir(source);
    await writeFile(join(source, 'vmlinuz'), 'kernel');
    await link(join(source, 'vmlinuz'), join(source, 'again'));
    await symlink('vmlinuz', join(source, 'link'));
    await chmod(join(source, 'vmlinuz'), 0o4711);
    await utimes(join(source, 'vmlinuz'), 1000, 1000);
    await mkdir(join(to.path, 'pkg_image/boot'));
    await writeFile(join(to.path, 'pkg_image/boot/old'), 'x');
    const digest = await carry('pkg_image/boot');
    const target = join(to.path, 'pkg_image/boot');
    const [kernel, again] = [await lstat(join(target, 'vmlinuz')), await lstat(join(target, 'again'))];
    expect(kernel).toMatchObject({ ino: again.ino, mtimeMs: 1_000_000 });
    expect(kernel.mode & 0o7777).toBe(0o4711);
    expect(await readlink(join(target, 'link'))).toBe('vmlinuz');
    await expect(lstat(join(target, 'old'))).rejects.toThrow('ENOENT');
    expect(digest).toBe(await treeDigest(source));
  });

  it('carries a single file below folders that are not there yet', async () => {
    await mkdir(join(from.path, 'pkg_image/live'));
    await writeFile(join(from.path, 'pkg_image/live/root.squashfs'), 'root');
    await carry('pkg_image/live/root.squashfs');
    expect(await readFile(join(to.path, 'pkg_image/live/root.squashfs'), 'utf8')).toBe('root');
  });

  it('says which output was not written', async () => {
    await expect(carry('pkg_image/nothing')).rejects.toMatchObject({
      code: 'OUTPUT_MISSING',
      path: 'pkg_image/nothing',
    });
  });

  it('refuses an output that leads out of its workspace', async () => {
    await symlink('/etc', join(from.path, 'pkg_image/out'));
    await expect(carry('pkg_image/out/hostname')).rejects.toMatchObject({ code: 'OUTPUT_OUTSIDE' });
  });
});

describe('treeDigest', () => {
  async function changed(change: (path: string) => Promise<unknown>): Promise<boolean> {
    const path = join(folder, 'tree');
    await mkdir(path);
    await writeFile(join(path, 'file'), 'one');
    const before = await treeDigest(path);
    await change(path);
    return (await treeDigest(path)) !== before;
  }

  it.each<[string, boolean, (path: string) => Promise<unknown>]>([
    ['content', true, async (path) => await writeFile(join(path, 'file'), 'two')],
    ['a mode', true, async (path) => await chmod(join(path, 'file'), 0o600)],
    ['a new empty file', true, async (path) => await writeFile(join(path, 'more'), '')],
    [
      'a file for a link',
      true,
      async (path) => {
        await rm(join(path, 'file'));
        await symlink('one', join(path, 'file'));
      },
    ],
    ['only times', false, async (path) => await utimes(join(path, 'file'), 1, 1)],
  ])('sees %s: %s', async (_, expected, change) => {
    expect(await changed(change)).toBe(expected);
  });
});
