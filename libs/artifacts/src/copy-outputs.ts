import { OutputCarrier, OutputError, type Workspace } from '#libs/engine';
import type { OutputImport } from '#libs/plan';
import { lstat, mkdir, realpath, rm } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { execa } from 'execa';
import { treeDigest } from './tree-digest.js';

/** Carries outputs between workspaces of one machine by copying (sharing blocks where the file system can). */
export class CopyOutputs extends OutputCarrier {
  override async carry(
    { path }: OutputImport,
    to: Workspace,
    bringLane: () => Promise<Workspace>,
  ): Promise<string> {
    const from = await bringLane();
    const source = join(from.path, path);
    const target = join(to.path, path);
    await requireInside(source, from.path, path);
    await mkdir(dirname(target), { recursive: true });
    await requireInside(dirname(target), to.path, path);
    await rm(target, { recursive: true, force: true });
    await execa('cp', [
      '--archive',
      '--reflink=auto',
      '--one-file-system',
      '--no-target-directory',
      '--',
      source,
      target,
    ]);
    const [original, copy] = [await treeDigest(source), await treeDigest(target)];
    if (original === copy) return copy;
    throw new OutputError(
      'OUTPUT_DIFFERS',
      path,
      `output "${path}" of ${from.name} was copied to ${to.name}, but the copy differs`,
    );
  }
}

/** A script may leave a symbolic link anywhere: what counts is where the path leads. */
async function requireInside(path: string, root: string, output: string): Promise<void> {
  try {
    await lstat(path);
  } catch {
    throw new OutputError(
      'OUTPUT_MISSING',
      output,
      `no step wrote the declared output "${output}": ${path} does not exist`,
    );
  }
  const [folder, top] = [await realpath(dirname(path)), await realpath(root)];
  if (folder === top || folder.startsWith(top + sep)) return;
  throw new OutputError(
    'OUTPUT_OUTSIDE',
    output,
    `output "${output}" leads out of its workspace, to ${folder}`,
  );
}
