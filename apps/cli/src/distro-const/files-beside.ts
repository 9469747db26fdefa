import { hashFile } from '#libs/artifacts';
import { filesDigest, type FileContent } from '#libs/plan';
import { createHash } from 'node:crypto';
import { readdir, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';

/** What a submission to a farm may have, too. */
const MOST_FILES = 500;
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Digest of the files that lie with a manifest, in its folder and below it, but for the manifest and the scripts themselves, which have their own places in the step keys. `null`: there are
 * more than anybody wants to read for each build.
 *
 * @param leftOut files, and folders with all in them, that are no part of it: scripts, build area, cache
 */
export async function digestBeside(manifest: string, leftOut: readonly string[]): Promise<string | null> {
  const folder = dirname(resolve(manifest));
  const out = new Set([manifest, ...leftOut].map((path) => resolve(path)));
  const files: FileContent[] = [];
  let bytes = 0;
  for await (const path of filesBelow(folder, out)) {
    const found = await fileAt(folder, path);
    if (found === null) return null;
    files.push(found.file);
    bytes += found.bytes;
    if (files.length > MOST_FILES || bytes > MOST_BYTES) return null;
  }
  return filesDigest(files);
}

async function* filesBelow(folder: string, out: ReadonlySet<string>): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (out.has(path)) continue;
    if (entry.isDirectory()) yield* filesBelow(path, out);
    else if (entry.isFile() || entry.isSymbolicLink()) yield path;
  }
}

/** A link stands for what it leads to, unless that is a folder: who knows what is in there. */
async function fileAt(
  folder: string,
  path: string,
): Promise<{ readonly file: FileContent; readonly bytes: number } | null> {
  const name = relative(folder, path).split(sep).join('/');
  const stats = await stat(path).catch(() => null);
  if (stats === null) {
    const dangling = createHash('sha256')
      .update(await readlink(path).catch(() => ''))
      .digest('hex');
    return { file: { path: name, executable: false, sha256: dangling }, bytes: 0 };
  }
  if (!stats.isFile() || stats.size > MOST_BYTES) return null;
  const executable = (stats.mode & 0o111) !== 0;
  const { sha256, bytes } = await hashFile(await realpath(path));
  return { file: { path: name, executable, sha256 }, bytes };
}
