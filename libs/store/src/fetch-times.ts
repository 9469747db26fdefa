import type { AgentFacts } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { groupBy } from './group-by.js';

type StoreKind = AgentFacts['store']['kind'];

/** What is usual comes from so many. */
const TIMES_LOOKED_AT = 200;
const KEPT_MS = 30 * 86_400_000;

/** A checkpoint came from one agent to another. Also forgets what is long past. */
export async function keepFetchTime(
  tx: Db,
  time: { readonly store: StoreKind; readonly bytes: number; readonly ms: number; readonly at: number },
): Promise<void> {
  await tx
    .deleteFrom('fetch_times')
    .where('at', '<', time.at - KEPT_MS)
    .execute();
  await tx.insertInto('fetch_times').values(time).execute();
}

/** Median of the newest ones, by store family; one that has moved nothing is missing. Milliseconds for a checkpoint. */
export async function usualFetchTimes(db: Db): Promise<ReadonlyMap<StoreKind, number>> {
  const rows = await db
    .selectFrom('fetch_times')
    .select(['store', 'ms'])
    .orderBy('at', 'desc')
    .limit(TIMES_LOOKED_AT)
    .execute();
  const byStore = groupBy(rows, ({ store }) => store);
  return new Map(
    [...byStore].map(([store, times]) => {
      const sorted = times.map(({ ms }) => ms).toSorted((a, b) => a - b);
      return [store, sorted[Math.floor(sorted.length / 2)] ?? 0];
    }),
  );
}
