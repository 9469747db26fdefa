import { Injectable } from '@nestjs/common';
import type { Explanation } from '#libs/contracts';
import { jobsOfBuild, stepsOfJob, variantsOf, type BuildRow, type JobRow } from '#libs/store';
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
        const explanation = job.state === 'waiting' ? explainJob(input, job.id) : null;
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
