import type { AreaName, Assignment, Holding } from '#libs/contracts';
import { SnapshotStoreError } from '#libs/engine';
import { decodeFacts, wayTo, type Checkpoint, type NewestHere } from '#libs/plan';
import type { AreaDesk, EnteredArea } from '../areas/area-desk.js';
import type { Receiving } from '../transfers/checkpoint-fetcher.js';

/** A state that another job made, and that equals one of the attempt's. */
export type Reusable = Assignment['reuse'][number];

/** What this agent holds in a workspace of another area, which need not be here: nothing is made. */
export async function heldElsewhereHere(
  desk: AreaDesk,
  area: AreaName,
  workspace: string,
): Promise<readonly Checkpoint[]> {
  let visited: EnteredArea;
  try {
    visited = await desk.visit(area);
  } catch (error) {
    if (error instanceof SnapshotStoreError && error.code === 'NOT_FOUND') return [];
    throw error;
  }
  try {
    return await visited.store.list(workspace);
  } finally {
    await visited.leave();
  }
}

/**
 * A checkpoint of another area, in that area here. It is fetched, with what leads to it, where that takes the place of nothing that is worth as much: behind the newest that this agent holds there, or
 * as the first. Where nobody who can send it has that newest one, it comes as a whole, and takes the place of what was in front of it. `null`: it cannot be had, or not now.
 *
 * @param fetch `base`: the checkpoint that it continues. Resolves to `null` when nobody can send it
 */
export async function bringForeign(
  desk: AreaDesk,
  reusable: Reusable,
  assignment: Pick<Assignment, 'reuse' | 'keys' | 'base'>,
  fetch: (into: Receiving, wanted: Holding, base: Checkpoint | null) => Promise<Checkpoint | null>,
): Promise<Checkpoint | null> {
  const { area, checkpoint: wanted } = reusable;
  const all = await heldElsewhereHere(desk, area, wanted.workspace);
  const held = all.find(({ id }) => id === wanted.id);
  if (held !== undefined) return held;
  const newest = all.at(-1) ?? null;
  const known = assignment.reuse.filter((each) => each.area === area).map(({ checkpoint }) => checkpoint);
  const way = wayTo(wanted, newest === null ? null : standingOf(newest, reusable, assignment), known);
  if (way === null) return null;
  const entered = await desk.enter(area);
  try {
    let last = newest;
    for (const each of way) last = (await fetch({ store: entered.beside }, each, last)) ?? last;
    return last?.id === wanted.id ? last : null;
  } catch (error) {
    if (error instanceof SnapshotStoreError && error.code === 'BUSY') return null;
    throw error;
  } finally {
    await entered.leave();
  }
}

function standingOf(
  { id, facts }: Checkpoint,
  { position }: Reusable,
  { keys, base }: Pick<Assignment, 'keys' | 'base'>,
): NewestHere {
  const key = decodeFacts(facts)?.key ?? '';
  return {
    id,
    isBase: id === base?.checkpoint,
    isInFront: key !== '' && keys.slice(0, position - 1).includes(key),
  };
}
