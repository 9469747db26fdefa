import type { Boundary, Job, Plan, PlannedStep } from './plan.js';
import type { PlanKeys } from './step-keys.js';

/** A state of a workspace that can be gone back to. */
export interface StateAtHand {
  readonly label: string;
  /** Step key, proven to be that of the state. */
  readonly key: string;
}

/** A state of the plan that is at hand. */
export interface ReachedBoundary<S extends StateAtHand> {
  readonly boundary: Boundary;
  readonly state: S;
}

/** What a job may begin with. */
export interface JobStart {
  readonly job: Job;
  /** Nothing from this step on is wanted; `null`: all of the job is. */
  readonly pauseBefore: PlannedStep | null;
  /** Jobs of which a step ran. What was forked from their ends is gone with these. */
  readonly made: ReadonlySet<number>;
}

/**
 * The states that a job may begin with and that equal its own there by their keys, the furthest first. Going back to one must leave no label in the workspace that the rest of the plan
 * wants to give: after a step was renamed, say, the name may stand for an older state.
 *
 * @param states of the job's workspace, oldest first
 */
export function statesToBeginWith<S extends StateAtHand>(
  plan: Plan,
  keys: PlanKeys,
  { job, pauseBefore, made }: JobStart,
  states: readonly S[],
): readonly ReachedBoundary<S>[] {
  if (job.base.kind !== 'empty' && made.has(job.base.boundary.job)) return [];
  return plan.boundaries
    .filter((boundary) => boundary.job === job.index && isBefore(boundary, pauseBefore))
    .toReversed()
    .flatMap((boundary) => {
      const key = keys.boundaries[boundary.index] ?? null;
      const at = states.findLastIndex((state) => state.label === boundary.label && state.key === key);
      const state = states[at];
      return state !== undefined && isFree(plan, boundary, states.slice(0, at)) ? [{ boundary, state }] : [];
    });
}

function isBefore({ before, after }: Boundary, pause: PlannedStep | null): boolean {
  if (pause === null) return true;
  return after === null ? before !== null && before.index <= pause.index : after.index < pause.index;
}

/** Whether the states that stay have none of the labels that are still to be given. */
function isFree(plan: Plan, { index, workspace }: Boundary, older: readonly StateAtHand[]): boolean {
  const later = plan.boundaries.filter((each) => each.workspace === workspace && each.index > index);
  const labels = new Set(older.map(({ label }) => label));
  return later.every(({ label }) => !labels.has(label));
}
