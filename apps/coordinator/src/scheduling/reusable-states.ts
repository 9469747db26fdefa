import type { AgentId, JobId } from '#libs/contracts';
import {
  keysOfJobs,
  reusableStates,
  reusingJobsUnderWay,
  type PositionedKey,
  type WaitingJobRow,
} from '#libs/store';
import { nextKey } from '../decide/next-key.js';
import type { Store } from '../store.js';

export interface ReuseInSight {
  /** Step key of the state that a waiting job would make next. */
  readonly nextKeys: ReadonlyMap<JobId, string | null>;
  /** The furthest of a waiting job's boundaries that anybody holds, or holds the equal of. */
  readonly held: ReadonlyMap<JobId, number>;
  /** States that agents are about to make, and for whom. */
  readonly underWay: ReadonlyMap<string, string>;
}

const NOTHING: ReuseInSight = { nextKeys: new Map(), held: new Map(), underWay: new Map() };

/** What jobs that wait have in common with what is there, and with what is being made. */
export class ReusableStates {
  /** Of the jobs of the last pass: a job's keys never change. */
  #keys = new Map<JobId, readonly PositionedKey[]>();

  constructor(private readonly store: Store) {}

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
    const active = await reusingJobsUnderWay(this.store.db);
    await this.#readKeys([...reusing.map(({ id }) => id), ...active.map(({ job }) => job)]);
    const underWay = new Map<string, string>();
    for (const { job, build, variant } of active)
      for (const { key } of this.#keys.get(job) ?? [])
        underWay.set(key, `build ${build}, variant ${variant}`);
    const held = new Map(
      reusing.map(({ id, lineage }) => [id, Math.max(0, ...(holders.get(lineage)?.values() ?? []))]),
    );
    const nextKeys = new Map(
      reusing.map(({ id }) => [id, nextKey(this.#keys.get(id) ?? [], held.get(id) ?? 0)]),
    );
    return { nextKeys, held, underWay };
  }

  async #readKeys(jobs: readonly JobId[]): Promise<void> {
    const unknown = jobs.filter((job) => !this.#keys.has(job));
    const read = await keysOfJobs(this.store.db, unknown);
    const known = this.#keys;
    this.#keys = new Map(jobs.map((job) => [job, known.get(job) ?? read.get(job) ?? []]));
  }
}
