import { unpackTree, type PieceFile } from '#libs/artifacts';
import type { AreaName, Assignment, PackedTree } from '#libs/contracts';
import type { SnapshotStore } from '#libs/engine';
import { factsOfTree, findBase, type Boundary, type Checkpoint, type Job, type Plan } from '#libs/plan';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EnteredArea } from '../areas/area-desk.js';
import { AttemptFault } from './attempt-end.js';

type Base = NonNullable<Assignment['base']>;

export interface FoundBase {
  readonly checkpoint: Checkpoint;
  /** Another area, in which it is; `null`: the job's own. */
  readonly from: AreaName | null;
}

/**
 * The checkpoint that a job goes on from: the one held here, be it in another area, or else made of its published tree. Throws AttemptFault `base-missing` when there is neither.
 *
 * @param lookInto checkpoints of another area that are here
 */
export async function baseCheckpoint(
  told: Base,
  plan: Plan,
  job: Job,
  area: EnteredArea,
  lookInto: (area: AreaName, workspace: string) => Promise<readonly Checkpoint[]>,
  fetch: (tree: PackedTree) => Promise<readonly PieceFile[]>,
  signal: AbortSignal,
): Promise<FoundBase> {
  const boundary = job.base.kind === 'empty' ? undefined : job.base.boundary;
  const base = boundary === undefined || told.area === undefined ? told : namedAs(boundary, told);
  if (boundary?.label !== base.label || boundary.workspace !== base.workspace)
    throw new AttemptFault('agent', `the plan's job does not go on from ${base.workspace}${base.label}`);
  const held = await find(area.store, base);
  if (held !== undefined) return { checkpoint: held, from: null };
  const elsewhere = told.area === undefined ? [] : await lookInto(told.area, told.workspace);
  const foreign = elsewhere.find(({ id }) => id === told.checkpoint);
  if (foreign !== undefined) return { checkpoint: foreign, from: told.area ?? null };
  const { tree } = base;
  if (tree === null) {
    throw new AttemptFault(
      'base-missing',
      `this agent has no checkpoint ${told.label} (${told.checkpoint ?? 'of no known id'}) of ${told.workspace} of ${told.lineage}, and it was not published`,
    );
  }
  const pieces = await fetch(tree);
  const checkpoint = await area.exclusively(base.workspace, async (store) => {
    // Another job of the area may have brought it meanwhile.
    const made = await find(store, base);
    if (made !== undefined) return made;
    const { path } = await store.startEmpty(base.workspace);
    for (const name of await readdir(path)) await rm(join(path, name), { recursive: true });
    await unpackTree(pieces, path, '', tree.treeSha256, signal);
    const of = { lineage: base.lineage, tree: tree.treeSha256 };
    return await store.take(base.workspace, base.label, factsOfTree(boundary, plan.digests, of, new Date()));
  });
  return { checkpoint, from: null };
}

/** What another build's job ended in has this job's names here. */
function namedAs({ workspace, label }: Boundary, base: Base): Base {
  return { ...base, workspace, label };
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
