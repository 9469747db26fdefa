import type { AreaName, Holding } from '#libs/contracts';
import { SnapshotStoreError } from '#libs/engine';
import type { Checkpoint } from '#libs/plan';
import type { AreaDesk, EnteredArea } from '../areas/area-desk.js';
import type { Receiving } from '../transfers/checkpoint-fetcher.js';

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
 * A checkpoint of another area, in that area here. It is fetched where that takes the place of nothing: what else this agent holds of that build is worth as much. So it has to be the first
 * there, or continue the newest. `null`: it cannot be had, or not now.
 *
 * @param fetch `base`: the checkpoint that it continues
 */
export async function bringForeign(
  desk: AreaDesk,
  area: AreaName,
  wanted: Holding,
  fetch: (into: Receiving, base: Checkpoint | null) => Promise<Checkpoint | null>,
): Promise<Checkpoint | null> {
  const all = await heldElsewhereHere(desk, area, wanted.workspace);
  const held = all.find(({ id }) => id === wanted.id);
  if (held !== undefined) return held;
  const newest = all.at(-1) ?? null;
  if (newest !== null && newest.id !== wanted.previous) return null;
  const entered = await desk.enter(area);
  try {
    return await fetch({ store: entered.beside }, newest);
  } catch (error) {
    if (error instanceof SnapshotStoreError && error.code === 'BUSY') return null;
    throw error;
  } finally {
    await entered.leave();
  }
}
