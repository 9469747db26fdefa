// needs: sha256sum of GNU coreutils
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { hashFile } from './hash-file.js';
import { formatSha256Sums, type NamedDigest } from './sha256sums.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sums-'));
});
afterEach(async () => rm(folder, { recursive: true }));

const NAMES = [
  'live.iso',
  'with space ',
  'i386/live.usb',
  'back\\slash',
  'new\nline',
  'return\r',
  ' *star',
  'é',
  '-c',
];

async function written(): Promise<NamedDigest[]> {
  const files: NamedDigest[] = [];
  for (const name of NAMES) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), `content of ${name}`);
    files.push({ name, sha256: (await hashFile(join(folder, name))).sha256 });
  }
  return files;
}

it('is what sha256sum takes', async () => {
  const input = formatSha256Sums(await written());
  const { exitCode } = await execa('sha256sum', ['--check', '--strict', '-'], { cwd: folder, input });
  expect(exitCode).toBe(0);
});

it('is what sha256sum writes', async () => {
  const files = await written();
  const { stdout } = await execa('sha256sum', ['--', ...NAMES], { cwd: folder });
  expect(formatSha256Sums(files)).toBe(`${stdout}\n`);
});
