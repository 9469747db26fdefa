import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import { MOST_STEPS, type BuildId, type JobId } from '#libs/contracts';
import {
  artifactsOfJob,
  blobsAmong,
  checkpointHolders,
  findAgent,
  findBuild,
  findJob,
  groupBy,
  holdsDuty,
  lineageOf,
  lockBuild,
  outputsOfJobs,
  putArtifact,
  putOutput,
  reusableResults,
  reuseSteps,
  updateJob,
  variantName,
  type ArtifactOfJob,
  type EndOriginRecord,
  type JobRow,
  type OutputRow,
  type ReusableResult,
  type Schema,
} from '#libs/store';
import { END_OUTPUT } from '../attempts/make-assignment.js';
import { settleBuild } from '../builds/settle-build.js';
import { Clock, Store } from '../store.js';
import { Work, type Changes } from '../work.js';
import { conditionOf } from './candidate-agents.js';
import { SCHEDULE_DUTY } from './duty.js';

const AGAIN_MS = 60_000;

/** What a job made, as far as another that does the same needs it. */
interface Results {
  readonly of: JobRow;
  readonly variant: string;
  readonly outputs: readonly OutputRow[];
  readonly artifacts: readonly ArtifactOfJob[];
}

/**
 * Jobs that wait take over what a job of the same end key has made, and do not run. Only whole results are taken: where a blob is gone, or the state at the end is, the job runs (or goes on from a
 * checkpoint that it has in common with the other).
 */
@Injectable()
export class ReuseResults {
  /** Pairs that were taken over or refused, and until when they are not looked at again: a thousand jobs may wait, and what is gone seldom comes back. */
  readonly #lookedAt = new Map<string, number>();

  constructor(
    private readonly store: Store,
    private readonly work: Work,
    private readonly clock: Clock,
  ) {}

  /** Until nothing is left to take over: with what one job takes over, the next may begin to wait. */
  async pass(holder: string): Promise<void> {
    const now = this.clock.now();
    for (const [key, until] of this.#lookedAt) if (until <= now) this.#lookedAt.delete(key);
    for (;;) {
      const all = await reusableResults(this.store.db);
      const left = all.filter((each) => !this.#lookedAt.has(keyOf(each)));
      if (left.length === 0) return;
      for (const [build, results] of groupBy(left, (each) => each.build)) {
        if (!(await this.#takeOver(holder, build, results))) return;
        for (const each of results) this.#lookedAt.set(keyOf(each), now + AGAIN_MS);
      }
    }
  }

  /** False: the build is not to run any more, or another coordinator schedules. */
  async #takeOver(holder: string, id: BuildId, results: readonly ReusableResult[]): Promise<boolean> {
    return await this.work.change(async (tx, changes, now) => {
      const build = (await holdsDuty(tx, SCHEDULE_DUTY, holder, now)) ? await lockBuild(tx, id) : null;
      if (build?.wish !== 'run') return false;
      const taken = new Set<JobId>();
      for (const each of results) {
        if (taken.has(each.job)) continue;
        const job = await findJob(tx, each.job);
        if (job?.state !== 'waiting' || job.generation !== 1) continue;
        const whole = await this.#wholeResults(tx, each.from, job);
        if (whole === null) continue;
        await takeOver(tx, changes, now, job, whole);
        taken.add(job.id);
      }
      if (taken.size > 0) await settleBuild(tx, changes, now, id, null);
      return true;
    });
  }

  /** `null`: something of it is not there any more. */
  async #wholeResults(tx: Transaction<Schema>, from: JobId, wanted: JobRow): Promise<Results | null> {
    const of = await findJob(tx, from);
    if (of?.state !== 'succeeded' || of.end_key !== wanted.end_key) return null;
    const variant = await variantName(tx, of.variant_id);
    const build = await findBuild(tx, of.build_id);
    if (variant === null || build === null || build.collected_at !== null) return null;
    const outputs = await outputsOfJobs(tx, [of.id]);
    const artifacts = await artifactsOfJob(tx, of.id);
    const digests = new Set([
      ...outputs.flatMap(({ pieces }) => pieces.map(({ sha256 }) => sha256)),
      ...artifacts.map(({ sha256 }) => sha256),
    ]);
    if (artifacts.some(({ available }) => !available)) return null;
    if ((await blobsAmong(tx, [...digests])).size < digests.size) return null;
    const results = { of, variant, outputs, artifacts };
    if (wanted.end_label !== null && !(await this.#hasEnd(tx, results))) return null;
    return results;
  }

  /** Other jobs can go on from where it ended: that was published, or an agent that works has it. */
  async #hasEnd(tx: Transaction<Schema>, results: Results): Promise<boolean> {
    if (results.outputs.some(({ path }) => path === END_OUTPUT)) return true;
    const { end_checkpoint: id } = results.of;
    const origin = originOf(results);
    if (id === null || origin === null) return false;
    for (const agent of await checkpointHolders(tx, { build: origin.build, variant: origin.variant, id })) {
      const row = await findAgent(tx, agent);
      if (row !== null && conditionOf(row, this.clock.now()) === 'ready') return true;
    }
    return false;
  }
}

function keyOf({ job, from }: ReusableResult): string {
  return `${job} ${from}`;
}

/** Where its last state is; `null`: no checkpoint was taken there. */
function originOf({ of, variant }: Results): EndOriginRecord | null {
  if (of.end_origin !== null) return of.end_origin;
  if (of.end_label === null) return null;
  return {
    build: of.build_id,
    variant,
    lineage: lineageOf(of.build_id, variant, of.index, of.generation),
    workspace: of.workspace,
    label: of.end_label,
  };
}

async function takeOver(
  tx: Transaction<Schema>,
  changes: Changes,
  now: number,
  job: JobRow,
  results: Results,
): Promise<void> {
  const { of, outputs, artifacts } = results;
  const variant = (await variantName(tx, job.variant_id)) ?? '';
  await updateJob(tx, job.id, {
    state: 'succeeded',
    end_checkpoint: of.end_checkpoint,
    end_origin: originOf(results),
    waiting_reason: '',
    waiting_since: null,
    ended_at: now,
  });
  await reuseSteps(tx, job.id, of.build_id, MOST_STEPS);
  for (const output of outputs) await putOutput(tx, { ...output, jobId: job.id });
  const about = { build: job.build_id, job: job.id };
  changes.event('job-reused', about, {
    variant,
    lane: job.lane,
    fromBuild: of.build_id,
    fromVariant: results.variant,
  });
  for (const { name, sha256, bytes, attempt } of artifacts) {
    await putArtifact(tx, { build: job.build_id, variant, name, job: job.id, attempt, sha256, bytes }, now);
    changes.event('artifact-published', about, { variant, lane: job.lane, name, sha256, bytes });
  }
}
