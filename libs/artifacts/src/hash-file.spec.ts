import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { fileIdentity, hashFile, isSameFile } from './hash-file.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hash-file-'));
  path = join(folder, 'file');
  await writeFile(path, 'content');
});
afterEach(async () => rm(folder, { recursive: true }));

describe('hashFile', () => {
  it.each([0, 1, 1024 * 1024, 3_000_001])('knows digest and length of %i bytes', async (size) => {
    const bytes = randomBytes(size);
    await writeFile(path, bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(await hashFile(path)).toEqual({ sha256, bytes: size });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a link', async () => await symlink('/etc/passwd', join(folder, 'other'))],
    ['a fifo that nobody writes to', async () => await execa('mkfifo', [join(folder, 'other')])],
    ['a device', async () => await symlink('/dev/zero', join(folder, 'other'))],
  ])('refuses %s', async (_, make) => {
    await make();
    await expect(hashFile(join(folder, 'other'))).rejects.toMatchObject({ code: 'NOT_A_FILE' });
    await expect(fileIdentity(join(folder, 'other'))).rejects.toMatchObject({ code: 'NOT_A_FILE' });
  });

  it('refuses a folder, and says that nothing is there', async () => {
    await expect(hashFile(folder)).rejects.toMatchObject({ code: 'NOT_A_FILE' });
    await expect(hashFile(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('ends when it is aborted', async () => {
    await expect(hashFile(path, AbortSignal.abort(new Error('cancelled')))).rejects.toThrow('cancelled');
  });
});

describe('fileIdentity', () => {
  it.each<[string, boolean, () => Promise<unknown>]>([
    ['nothing', true, () => Promise.resolve()],
    ['more content', false, async () => await appendFile(path, 'x')],
    [
      'other content and the old time',
      false,
      async () => {
        await writeFile(path, 'CONTENT');
        await utimes(path, 1000, 1000);
      },
    ],
    [
      'another file',
      false,
      async () => {
        await writeFile(join(folder, 'new'), 'content');
        await rename(join(folder, 'new'), path);
      },
    ],
  ])('tells after %s whether it is the same file: %s', async (_, expected, change) => {
    await utimes(path, 1000, 1000);
    const before = await fileIdentity(path);
    await change();
    expect(isSameFile(before, await fileIdentity(path))).toBe(expected);
  });
});
