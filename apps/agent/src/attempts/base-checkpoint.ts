import { unpackTree, type PieceFile } from '#libs/artifacts';
import type { Assignment, PackedTree } from '#libs/contracts';
import type { SnapshotStore } from '#libs/engine';
import { factsOfTree, findBase, type Checkpoint, type Job, type Plan } from '#libs/plan';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EnteredArea } from '../areas/area-desk.js';
import { AttemptFault } from './attempt-end.js';

type Base = NonNullable<Assignment['base']>;

/**
 * The checkpoint that a job goes on from: the one held here, or else made of its published tree. Throws AttemptFault `base-missing` when there is neither.
 */
export async function baseCheckpoint(
  base: Base,
  plan: Plan,
  job: Job,
  area: EnteredArea,
  fetch: (tree: PackedTree) => Promise<readonly PieceFile[]>,
  signal: AbortSignal,
): Promise<Checkpoint> {
  const held = await find(area.store, base);
  if (held !== undefined) return held;
  const { tree } = base;
  if (tree === null) {
    throw new AttemptFault(
      'base-missing',
      `this agent has no checkpoint ${base.label} (${base.checkpoint ?? 'of no known id'}) of ${base.workspace} of ${base.lineage}, and it was not published`,
    );
  }
  const boundary = job.base.kind === 'empty' ? undefined : job.base.boundary;
  if (boundary?.label !== base.label || boundary.workspace !== base.workspace)
    throw new AttemptFault('agent', `the plan's job does not go on from ${base.workspace}${base.label}`);
  const pieces = await fetch(tree);
  return await area.exclusively(base.workspace, async (store) => {
    // Another job of the area may have brought it meanwhile.
    const made = await find(store, base);
    if (made !== undefined) return made;
    const { path } = await store.startEmpty(base.workspace);
    for (const name of await readdir(path)) await rm(join(path, name), { recursive: true });
    await unpackTree(pieces, path, '', tree.treeSha256, signal);
    const of = { lineage: base.lineage, tree: tree.treeSha256 };
    return await store.take(base.workspace, base.label, factsOfTree(boundary, plan.digests, of, new Date()));
  });
}

/** The same, when it is held here under the id that others know it by. */
export async function heldBase(
  store: SnapshotStore,
  base: Pick<Base, 'workspace' | 'checkpoint'> | null,
): Promise<Checkpoint | undefined> {
  if (base === null) return undefined;
  return (await store.list(base.workspace)).find(({ id }) => id === base.checkpoint);
}

async function find(store: SnapshotStore, base: Base): Promise<Checkpoint | undefined> {
  return findBase(await store.list(base.workspace), { ...base, tree: base.tree?.treeSha256 ?? null });
}
