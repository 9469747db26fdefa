import type { AgentId, JobId } from '#libs/contracts';
import {
  keysOfJobs,
  reusableStates,
  reusingJobsUnderWay,
  type PositionedKey,
  type WaitingJobRow,
} from '#libs/store';
import { nextKey } from '../decide/next-key.js';
import type { UnderWay } from '../decide/placement-input.js';
import type { Store } from '../store.js';

export interface ReuseInSight {
  /** Step key of the state that a waiting job would make next. */
  readonly nextKeys: ReadonlyMap<JobId, string | null>;
  /** The furthest of a waiting job's boundaries that anybody holds, or holds the equal of. */
  readonly held: ReadonlyMap<JobId, number>;
}

/** What jobs that wait have in common with what is there, and with what is being made. */
export class ReusableStates {
  /** Of the jobs that waited or ran lately: once a job waits, its keys change no more, but that they may be dropped, and its end's with them. */
  #keys = new Map<JobId, readonly PositionedKey[]>();

  constructor(private readonly store: Store) {}

  /**
   * States that agents are about to make, and for whom. To be read before anything else of a pass: of a job that ends while the pass goes on, others then wait for the next one, and take its results
   * over, instead of doing the same again.
   */
  async underWay(): Promise<UnderWay> {
    const active = await reusingJobsUnderWay(this.store.db);
    for (const { job, endKey } of active)
      if (endKey === null) this.#keys.delete(job);
    await this.#readKeys(active.map(({ job }) => job));
    const underWay = { trusted: new Map<string, string>(), all: new Map<string, string>() };
    for (const { job, build, variant, trusted } of active)
      for (const { key } of this.#keys.get(job) ?? []) {
        const who = `build ${build}, variant ${variant}`;
        underWay.all.set(key, who);
        if (trusted === 1) underWay.trusted.set(key, who);
      }
    return underWay;
  }

  /** Adds to `holders` who holds states that equal those of the rows' lineages. */
  async look(
    rows: readonly WaitingJobRow[],
    holders: Map<string, Map<AgentId, number>>,
  ): Promise<ReuseInSight> {
    const reusing = rows.filter(({ reuses }) => reuses);
    if (reusing.length === 0) return NOTHING;
    const byId = new Map(reusing.map((row) => [row.id, row]));
    for (const { job, position, agent } of await reusableStates(this.store.db)) {
      const row = byId.get(job);
      if (row === undefined) continue;
      const held = holders.get(row.lineage) ?? new Map<AgentId, number>();
      holders.set(row.lineage, held.set(agent, Math.max(held.get(agent) ?? 0, position)));
    }
    await this.#readKeys(reusing.map(({ id }) => id));
    const held = new Map(
      reusing.map(({ id, lineage }) => [id, Math.max(0, ...(holders.get(lineage)?.values() ?? []))]),
    );
    const nextKeys = new Map(
      reusing.map(({ id }) => [id, nextKey(this.#keys.get(id) ?? [], held.get(id) ?? 0)]),
    );
    return { nextKeys, held };
  }

  async #readKeys(jobs: readonly JobId[]): Promise<void> {
    if (this.#keys.size > MOST_REMEMBERED) this.#keys.clear();
    const unknown = jobs.filter((job) => !this.#keys.has(job));
    const read = await keysOfJobs(this.store.db, unknown);
    for (const job of unknown) this.#keys.set(job, read.get(job) ?? []);
  }
}

const NOTHING: ReuseInSight = { nextKeys: new Map(), held: new Map() };
/** Jobs, some twenty keys each: a few dozen megabytes. */
const MOST_REMEMBERED = 20_000;
