import { OutputCarrier, OutputError, type Workspace } from '#libs/engine';
import type { OutputImport } from '#libs/plan';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { makeParent, requireInside } from './inside.js';
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
    await makeParent(to.path, path);
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
