import { OutputError } from '#libs/engine';
import { lstat, mkdir, realpath, rmdir } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { hasCode } from './error-code.js';

/** A script may leave a symbolic link anywhere: what counts is where the path leads. Throws OutputError. */
export async function requireInside(path: string, root: string, output: string): Promise<void> {
  try {
    await lstat(path);
  } catch {
    throw new OutputError(
      'OUTPUT_MISSING',
      output,
      `no step wrote the declared output "${output}": ${path} does not exist`,
    );
  }
  await requireFolderInside(dirname(path), root, output);
}

/** The folders in which an output is to be put, and those of them that were not there before. */
export interface Parent {
  /** Without links. */
  readonly path: string;
  readonly made: readonly string[];
}

/** Makes the folders above `root/output`, one by one, so that none is ever made behind a link that leads out. Throws OutputError. */
export async function makeParent(root: string, output: string): Promise<Parent> {
  const made: string[] = [];
  let path = await realpath(root);
  for (const part of dirname(output).split('/')) {
    const next = join(path, part);
    if (await makeFolder(next)) made.push(next);
    path = await requireFolderInside(next, root, output);
  }
  return { path, made };
}

/** Takes back what `makeParent` made, as far as nothing is in it. */
export async function removeParent({ made }: Parent): Promise<void> {
  for (const folder of made.toReversed()) {
    await rmdir(folder).catch((error: unknown) => {
      if (!hasCode(error, 'ENOTEMPTY')) throw error;
    });
  }
}

async function requireFolderInside(path: string, root: string, output: string): Promise<string> {
  const [folder, top] = [await realpath(path), await realpath(root)];
  if (folder === top || folder.startsWith(top + sep)) return folder;
  throw new OutputError(
    'OUTPUT_OUTSIDE',
    output,
    `output "${output}" leads out of its workspace, to ${folder}`,
  );
}

async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}
