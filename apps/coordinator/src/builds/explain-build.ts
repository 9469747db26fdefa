import { Injectable } from '@nestjs/common';
import type { AgentId, BuildId, Explanation } from '#libs/contracts';
import {
  checkpointsOfKeys,
  jobsOfBuild,
  keysOfJob,
  stepsOfJob,
  variantsOf,
  type BuildRow,
  type JobRow,
} from '#libs/store';
import { explainJob } from '../decide/explain-job.js';
import { AskFingerprints } from '../fingerprints/ask-fingerprints.js';
import { Replication } from '../scheduling/replication.js';
import { ScheduleJobs } from '../scheduling/schedule-jobs.js';
import { Store } from '../store.js';

/** Why a build does not go on, job by job, and what it lacks of copies. */
@Injectable()
export class ExplainBuild {
  constructor(
    private readonly store: Store,
    private readonly schedule: ScheduleJobs,
    private readonly replication: Replication,
    private readonly asks: AskFingerprints,
  ) {}

  async explain(build: BuildRow): Promise<Explanation> {
    const { db } = this.store;
    const jobs = await jobsOfBuild(db, build.id);
    const names = new Map((await variantsOf(db, build.id)).map(({ id, name }) => [id, name]));
    const input = await this.schedule.readInput();
    const asking = (await this.asks.reasons([build.id])).get(build.id) ?? null;
    const explained = jobs
      .filter(({ state }) => state !== 'succeeded' && state !== 'running')
      .map(async (job) => {
        const explanation =
          job.state === 'waiting' ? explainJob(input, job.id, await this.#madeBy(build, job)) : null;
        return {
          job: job.id,
          variant: names.get(job.variant_id) ?? '',
          lane: job.lane,
          state: job.state,
          reason: explanation?.reason ?? (await this.#reasonOf(job, jobs, asking)),
          agents: [...(explanation?.agents ?? [])],
        };
      });
    const { lacking } = build.replicas === 0 ? { lacking: [] } : await this.replication.lacking(build.id);
    return { build: build.id, state: build.state, jobs: await Promise.all(explained), lacking };
  }

  /** By agent, whose state is the furthest there that equals one of the job's; an agent that holds an own one as far on is missing. */
  async #madeBy(build: BuildRow, { id, generation }: JobRow): Promise<ReadonlyMap<AgentId, BuildId>> {
    if (build.reuse === 0 || generation > 1) return new Map();
    const { db } = this.store;
    const keys = await keysOfJob(db, id);
    const known = keys.filter((key) => key !== null);
    const states = await checkpointsOfKeys(db, known, build.trusted);
    const nearestFirst = states.toSorted(
      (a, b) =>
        keys.indexOf(a.key) - keys.indexOf(b.key) ||
        Number(a.buildId === build.id) - Number(b.buildId === build.id),
    );
    const furthest = new Map(nearestFirst.map(({ agentId, buildId }) => [agentId, buildId]));
    return new Map([...furthest].filter(([, of]) => of !== build.id));
  }

  /** @param asking why nothing of the build begins yet */
  async #reasonOf(job: JobRow, jobs: readonly JobRow[], asking: string | null): Promise<string> {
    if (job.state === 'blocked') {
      if (asking !== null) return asking;
      const missing = jobs.filter(
        (other) =>
          other.variant_id === job.variant_id &&
          job.needs.includes(other.index) &&
          other.state !== 'succeeded',
      );
      return `waits for ${missing.map(({ lane, state }) => `lane ${lane} (${state})`).join(' and ')}`;
    }
    if (job.waiting_reason !== '') return job.waiting_reason;
    const failed = (await stepsOfJob(this.store.db, job.id)).find(({ state }) => state === 'failed');
    if (failed !== undefined) return `step ${failed.name} failed: ${JSON.stringify(failed.outcome)}`;
    return job.state;
  }
}
