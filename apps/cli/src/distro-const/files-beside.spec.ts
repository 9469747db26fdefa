import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestBeside } from './files-beside.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'files-beside-'));
  await mkdir(join(folder, 'files'));
  for (const name of ['m.xml', 'script', 'files/motd']) await writeFile(join(folder, name), 'text');
});
afterEach(async () => rm(folder, { recursive: true }));

const digest = async (): Promise<string | null> =>
  await digestBeside(join(folder, 'm.xml'), [join(folder, 'script'), join(folder, 'area')]);

describe('digestBeside', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['a file was written to', async () => writeFile(join(folder, 'files/motd'), 'other')],
    ['a file came', async () => writeFile(join(folder, 'files/new'), '')],
    ['a file went', async () => rm(join(folder, 'files/motd'))],
    ['a file became executable', async () => chmod(join(folder, 'files/motd'), 0o755)],
    ['a link to nothing came', async () => symlink('nowhere', join(folder, 'link'))],
  ])('is another one when %s', async (_, change) => {
    const before = await digest();
    await change();
    expect(before).toMatch(/^[0-9a-f]{64}$/);
    expect(await digest()).not.toBe(before);
  });

  it('does not see the manifest, nor what is left out', async () => {
    const before = await digest();
    for (const name of ['m.xml', 'script']) await writeFile(join(folder, name), 'other');
    await mkdir(join(folder, 'area/media'), { recursive: true });
    await writeFile(join(folder, 'area/media/x.iso'), 'other');
    expect(await digest()).toBe(before);
  });

  it('sees the file that a link leads to', async () => {
    await writeFile(join(folder, 'script'), 'one');
    await symlink('script', join(folder, 'link'));
    const before = await digest();
    await writeFile(join(folder, 'script'), 'two');
    expect(await digest()).not.toBe(before);
  });

  it.each<[string, () => Promise<unknown>]>([
    [
      'many files',
      async () => Promise.all(Array.from({ length: 501 }, (_, at) => writeFile(join(folder, `f${at}`), ''))),
    ],
    ['many bytes', async () => truncate(join(folder, 'files/motd'), 17 * 1024 * 1024)],
    ['a link to a folder', async () => symlink('/usr', join(folder, 'usr'))],
  ])('is not known of %s', async (_, make) => {
    await make();
    expect(await digest()).toBeNull();
  });
});
