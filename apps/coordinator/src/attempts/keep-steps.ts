import type { Transaction } from 'kysely';
import {
  checkpointsOfLineages,
  findJob,
  lineageOf,
  stepsOfJob,
  triesOfJob,
  updateStep,
  type AttemptRow,
  type CheckpointRow,
  type JobRow,
  type Schema,
} from '#libs/store';
import { whoRan } from '../decide/who-ran.js';
import { boundaryLabels } from '../scheduling/job-progress.js';

/** The state that an attempt goes on from, or ends with. */
export interface ProvenState {
  /** Index of the step in front of which it is; Infinity: the job's end. */
  readonly before: number;
  /** Id of its checkpoint; `null`: none was kept. */
  readonly checkpoint: string | null;
}

/**
 * The state that an attempt goes on from, or ends with, proves the steps that led there. That they ended well may never have been heard: their reports came too late, or
 * were lost with the agent's spool. Nor may it be the attempt that was heard of them last: each checkpoint on the way says when it was taken.
 */
export async function keepStepsInFront(
  tx: Transaction<Schema>,
  attempt: AttemptRow,
  variant: string,
  proven: ProvenState,
): Promise<void> {
  const steps = await stepsOfJob(tx, attempt.job_id);
  const front = steps.filter(({ index }) => index < proven.before);
  if (front.every(({ state, attempt_id }) => state === 'succeeded' && attempt_id === attempt.id)) return;
  const job = await findJob(tx, attempt.job_id);
  if (job === null) throw new RangeError(`attempt ${attempt.id} has no job`);
  const takenAt = await timesOnTheWay(tx, job, variant, proven.checkpoint ?? job.end_checkpoint);
  const labels = boundaryLabels(steps);
  const tries = await triesOfJob(tx, job.id);
  for (const [position, { index, state, attempt_id, reused_from }] of front.entries()) {
    // A state that was taken over begins the job's chain; what has a checkpoint in front of it, too, an attempt of this job ran.
    if (reused_from !== null && !takenAt.has(labels[position] ?? '')) continue;
    const at = takenAt.get(labels[position + 1] ?? '');
    const runs = tries.map(({ steps: of, ...each }) => ({ ...each, ...(of.get(index) ?? UNHEARD) }));
    const ran = at === undefined ? null : whoRan(runs, at);
    const isAnothers = ran !== null && ran.attempt !== attempt_id;
    if (state === 'succeeded' && !isAnothers) continue;
    await updateStep(tx, job.id, index, {
      state: 'succeeded',
      outcome: { kind: 'succeeded' },
      attempt: attempt_id,
      reusedFrom: null,
      ...(isAnothers ? { attempt: ran.attempt, startedAt: ran.startedAt, endedAt: ran.endedAt } : {}),
    });
  }
}

const UNHEARD = { startedAt: null, endedAt: null, outcome: null };

/** When the checkpoint was taken, and each that it continues, by label. */
async function timesOnTheWay(
  tx: Transaction<Schema>,
  { build_id, index, generation, ancestry }: JobRow,
  variant: string,
  tip: string | null,
): Promise<ReadonlyMap<string, number>> {
  const generations = [...ancestry.map((ancestor) => ancestor.generation), generation];
  const lineages = generations.map((each) => lineageOf(build_id, variant, index, each));
  const rows = await checkpointsOfLineages(tx, lineages);
  const byId = new Map<string, CheckpointRow>(rows.map((row) => [row.id, row]));
  const times = new Map<string, number>();
  for (let at = byId.get(tip ?? ''); at !== undefined && !times.has(at.label); at = byId.get(at.previous))
    times.set(at.label, at.takenAt);
  return times;
}
