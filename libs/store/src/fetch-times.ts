import type { AgentFacts } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { groupBy } from './group-by.js';

type StoreKind = AgentFacts['store']['kind'];

/** What is usual comes from so many. */
const TIMES_LOOKED_AT = 200;
const KEPT_MS = 30 * 86_400_000;
/** What is smaller tells what a transfer costs that carries nothing; the others, how fast bytes come. */
const SMALL_BYTES = 1_000_000;

export interface FetchTime {
  readonly store: StoreKind;
  readonly distribution: string;
  readonly label: string;
  readonly bytes: number;
  readonly ms: number;
  readonly at: number;
}

/** How checkpoints usually come, of one store family. */
export interface UsualFetch {
  /** Median: what one takes of which nothing is known. */
  readonly ms: number;
  /** The same of small ones. 0 when none came. */
  readonly smallMs: number;
  /** Of the others; `null` when none came. */
  readonly bytesPerSecond: number | null;
}

/** A checkpoint came from one agent to another. Also forgets what is long past. */
export async function keepFetchTime(tx: Db, time: FetchTime): Promise<void> {
  await tx
    .deleteFrom('fetch_times')
    .where('at', '<', time.at - KEPT_MS)
    .execute();
  await tx.insertInto('fetch_times').values(time).execute();
}

/** From the newest ones, by store family; one that has moved nothing is missing. */
export async function usualFetches(db: Db): Promise<ReadonlyMap<StoreKind, UsualFetch>> {
  const rows = await db
    .selectFrom('fetch_times')
    .select(['store', 'bytes', 'ms'])
    .orderBy('at', 'desc')
    .limit(TIMES_LOOKED_AT)
    .execute();
  return new Map([...groupBy(rows, ({ store }) => store)].map(([store, times]) => [store, usual(times)]));
}

function usual(times: readonly { readonly bytes: number; readonly ms: number }[]): UsualFetch {
  const small = times.filter(({ bytes }) => bytes < SMALL_BYTES);
  const large = times.filter(({ bytes }) => bytes >= SMALL_BYTES);
  return {
    ms: median(times.map(({ ms }) => ms)),
    smallMs: median(small.map(({ ms }) => ms)),
    bytesPerSecond:
      large.length === 0 ? null : median(large.map(({ bytes, ms }) => (bytes * 1000) / Math.max(1, ms))),
  };
}

/** What the boundaries of a distribution usually measured when they came, by label: the newest ones' median. */
export async function usualFetchBytes(db: Db, distribution: string): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .selectFrom('fetch_times')
    .select(['label', 'bytes'])
    .where('distribution', '=', distribution)
    .orderBy('at', 'desc')
    .limit(TIMES_LOOKED_AT)
    .execute();
  const byLabel = groupBy(rows, ({ label }) => label);
  return new Map([...byLabel].map(([label, times]) => [label, median(times.map(({ bytes }) => bytes))]));
}

/** The upper one of two; 0 of none. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
