import type { Transaction } from 'kysely';
import type { BuildId, BuildState, JobState, Wish } from '#libs/contracts';
import {
  countBindingJobStates,
  countJobStates,
  findBuild,
  groupBy,
  jobsOfBuild,
  jobsOfVariant,
  stepsOfBuild,
  stepsOfJobs,
  updateBuild,
  updateJob,
  variantsOf,
  type BuildRow,
  type Schema,
  type StepRow,
  type VariantRow,
} from '#libs/store';
import type { Changes } from '../work.js';
import { buildStateOf, isAtRest } from '../decide/build-state.js';
import { isHeldByPause, readyJobs } from '../decide/ready-jobs.js';

/**
 * Lets go what can go, after jobs of a build have changed: blocked jobs that have all they need begin to wait, or pause where the build is to pause;
 * then the build's own state follows from its jobs'. The caller has locked the build.
 *
 * @param variant only its jobs have changed; `null`: any may have
 */
export async function settleBuild(
  tx: Transaction<Schema>,
  changes: Changes,
  now: number,
  id: BuildId,
  variant: VariantRow['id'] | null,
): Promise<void> {
  const build = await findBuild(tx, id);
  if (build === null) throw new RangeError(`no build ${id}`);
  const jobs = variant === null ? await jobsOfBuild(tx, id) : await jobsOfVariant(tx, variant);
  const steps =
    variant === null
      ? await stepsOfBuild(tx, id)
      : await stepsOfJobs(
          tx,
          jobs.map((job) => job.id),
        );
  const variants = await variantsOf(tx, id);
  const names = new Map(variants.map((row) => [row.id, row.name]));
  // As long as nobody knows what could be reused, nothing begins; what is held by a pause is held all the same.
  const keysWait = variants.some(({ keys_wait }) => keys_wait === 1);
  const stepsOf = groupBy(steps, ({ job_id }) => job_id);
  for (const ofVariant of groupBy(jobs, ({ variant_id }) => variant_id).values()) {
    const own = ofVariant.flatMap((job) => stepsOf.get(job.id) ?? []);
    const pauseIndex = pauseIndexOf(build, own);
    for (const job of readyJobs(ofVariant)) {
      const first = Math.min(...(stepsOf.get(job.id) ?? []).map(({ index }) => index));
      const held = build.wish === 'pause' || isHeldByPause(first, pauseIndex);
      const about = { build: id, job: job.id };
      const data = { variant: names.get(job.variant_id) ?? '', lane: job.lane };
      if (held) {
        const reason =
          build.wish === 'pause'
            ? 'the build is paused'
            : `the build is to pause before ${build.pause_before ?? ''}`;
        await updateJob(tx, job.id, { state: 'paused', waiting_reason: reason, waiting_since: null });
      } else if (!keysWait) {
        await updateJob(tx, job.id, { state: 'waiting', waiting_reason: '', waiting_since: now });
        changes.event('job-waiting', about, data);
      }
    }
  }
  await settleState(tx, changes, now, build);
}

/** The variant, whose steps these are, may not have the step at all: then nothing holds it. */
function pauseIndexOf({ pause_before }: BuildRow, steps: readonly StepRow[]): number | null {
  return steps.find(({ name }) => name === pause_before)?.index ?? null;
}

/** The build's own state follows from its jobs'. The caller has locked the build. */
export async function settleState(
  tx: Transaction<Schema>,
  changes: Changes,
  now: number,
  build: BuildRow,
): Promise<void> {
  const counts: ReadonlyMap<JobState, number> = await countJobStates(tx, build.id);
  const hasFailed = (counts.get('failed') ?? 0) > 0;
  const binding = hasFailed ? await countBindingJobStates(tx, build.id) : counts;
  const state: BuildState = buildStateOf(counts, build.wish satisfies Wish, binding);
  if (state === build.state) return;
  const over = state === 'succeeded' || state === 'failed' || state === 'cancelled';
  await updateBuild(tx, build.id, { state, ended_at: over ? now : null });
  if (isAtRest(state)) changes.event('build-ended', { build: build.id }, { state, name: build.name });
}
