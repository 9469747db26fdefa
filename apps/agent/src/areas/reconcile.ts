import type { AreaName, Hello } from '#libs/contracts';
import { AreaName as AreaNameSchema } from '#libs/contracts';
import { SnapshotStoreError } from '#libs/engine';
import type { Areas } from '#libs/snapshots';
import type { Logger } from 'pino';
import { holdingOf } from '../attempts/note-event.js';

export type FoundInStore = Pick<Hello, 'areas' | 'holdings'>;

/**
 * What is in the agent's store when it starts, before anything runs: its areas and their checkpoints. Unmounts what an earlier process left mounted. An area in trouble is named, and counted as there without checkpoints.
 */
export async function reconcile(areas: Areas, log: Logger): Promise<FoundInStore> {
  const found: { areas: AreaName[]; holdings: FoundInStore['holdings'][number][] } = {
    areas: [],
    holdings: [],
  };
  for (const name of await areas.list()) {
    const parsed = AreaNameSchema.safeParse(name);
    // Made by us, and yet no area of a farm: not the coordinator's business.
    if (!parsed.success) continue;
    found.areas.push(parsed.data);
    try {
      found.holdings.push(...(await lookInto(areas, name)));
    } catch (error) {
      if (!(error instanceof SnapshotStoreError)) throw error;
      log.error({ err: error, area: name }, 'area in trouble');
    }
  }
  return found;
}

async function lookInto(areas: Areas, name: string): Promise<FoundInStore['holdings']> {
  const { store } = await areas.open(name);
  await areas.rest(name);
  const lists = await Promise.all((await areas.workspaces(name)).map((workspace) => store.list(workspace)));
  return lists.flat().flatMap((checkpoint) => holdingOf(checkpoint) ?? []);
}
