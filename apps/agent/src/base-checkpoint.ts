import { unpackTree, type PieceFile } from '#libs/artifacts';
import type { Assignment, PackedTree } from '#libs/contracts';
import type { SnapshotStore } from '#libs/engine';
import { encodeFacts, factsAt, type Checkpoint, type Job, type Plan } from '#libs/plan';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EnteredArea } from './area-desk.js';
import { AttemptFault } from './attempt-end.js';

type Base = NonNullable<Assignment['base']>;
type BasePlace = Pick<Base, 'workspace' | 'label' | 'lineage'>;

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
      `this agent has no checkpoint ${base.label} of ${base.workspace} of ${base.lineage}, and it was not published`,
    );
  }
  const boundary = job.base.kind === 'empty' ? undefined : job.base.boundary;
  if (boundary?.label !== base.label || boundary.workspace !== base.workspace)
    throw new AttemptFault('agent', `the plan's job does not go on from ${base.workspace}${base.label}`);
  const pieces = await fetch(tree);
  return await area.exclusively(async (store) => {
    // Another job of the area may have brought it meanwhile.
    const made = await find(store, base);
    if (made !== undefined) return made;
    const { path } = await store.startEmpty(base.workspace);
    for (const name of await readdir(path)) await rm(join(path, name), { recursive: true });
    await unpackTree(pieces, path, '', tree.treeSha256, signal);
    const facts = factsAt(boundary, '', plan.digests, base.lineage, new Date());
    return await store.take(base.workspace, base.label, encodeFacts(facts));
  });
}

/** The same, when it is held here. */
export async function heldBase(
  store: SnapshotStore,
  base: BasePlace | null,
): Promise<Checkpoint | undefined> {
  return base === null ? undefined : await find(store, base);
}

async function find(store: SnapshotStore, base: BasePlace): Promise<Checkpoint | undefined> {
  const checkpoints = await store.list(base.workspace);
  return checkpoints.find(({ label, facts }) => label === base.label && facts['build'] === base.lineage);
}
