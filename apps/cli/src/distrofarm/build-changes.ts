import type { AttemptView, BuildDetail, JobView, StepView } from '#libs/contracts';
import {
  describeEnd,
  describeOutcome,
  describeStandings,
  formatDuration,
  jobLabels,
  optionalVariants,
  variantStandings,
} from '#libs/watch';

export interface Change {
  /** When; `null` where the farm keeps no time of it. */
  readonly at: number | null;
  readonly text: string;
}

/** What happened between two views of a build, a sentence each, in the order in which it happened as far as that is known. */
export function changesBetween(before: BuildDetail, after: BuildDetail): readonly Change[] {
  const labels = jobLabels(after);
  const optional = optionalVariants(after);
  const earlier = new Map(before.jobs.map((job) => [job.id, job]));
  const changes = after.jobs.flatMap((job) => {
    const label = labels.get(job.id) ?? job.lane;
    return jobChanges(earlier.get(job.id), job, optional.has(job.variant)).map(({ at, text }) => ({
      at,
      text: `${label}: ${text}`,
    }));
  });
  return [...inOrder(changes), ...buildChanges(before, after)];
}

/** Of more, those that wait are only counted. */
const MOST_JOBS = 24;

/** What a watcher sees first: where each job is. */
export function whereItStands(build: BuildDetail): readonly Change[] {
  const labels = jobLabels(build);
  const isTold = ({ state }: JobView): boolean => state !== 'waiting' && state !== 'blocked';
  const told = build.jobs.length <= MOST_JOBS ? build.jobs : build.jobs.filter(isTold);
  const jobs = told.map((job): Change => {
    const running = job.steps.find(({ state }) => state === 'running');
    const done = job.steps.filter(({ state }) => state === 'succeeded').length;
    const words = running === undefined ? job.waitingReason : `${running.name} ${running.message}`;
    const text = `${labels.get(job.id) ?? job.lane}: ${job.state}, ${done} of ${job.steps.length} steps${words === '' ? '' : `: ${words}`}`;
    return { at: null, text };
  });
  const variants =
    build.variants.length < 2 ? [] : [{ at: null, text: describeStandings(variantStandings(build)) }];
  return [...jobs, ...variants, { at: null, text: `build ${build.id} of ${build.name} is ${build.state}` }];
}

/** Those without a time stay where they are: behind what came before them. */
function inOrder(changes: readonly Change[]): readonly Change[] {
  let latest = 0;
  const keyed = changes.map((change) => ({ change, key: (latest = change.at ?? latest) }));
  return keyed.toSorted((a, b) => a.key - b.key).map(({ change }) => change);
}

function buildChanges(before: BuildDetail, after: BuildDetail): readonly Change[] {
  const changes: Change[] = [];
  if (after.wish !== before.wish && after.wish !== 'run')
    changes.push({ at: null, text: `${after.wish} asked for` });
  if (after.state !== before.state) changes.push({ at: after.endedAt, text: `build ${after.state}` });
  return changes;
}

function jobChanges(old: JobView | undefined, job: JobView, optional: boolean): readonly Change[] {
  return [
    ...job.attempts.flatMap((attempt) => {
      return attemptStart(
        old?.attempts.find(({ id }) => id === attempt.id),
        attempt,
      );
    }),
    ...job.steps.flatMap((step) =>
      stepChanges(
        old?.steps.find(({ index }) => index === step.index),
        step,
        job,
      ),
    ),
    ...job.attempts.flatMap((attempt) => {
      return phaseChange(
        old?.attempts.find(({ id }) => id === attempt.id),
        attempt,
      );
    }),
    ...job.attempts.flatMap((attempt) => {
      return attemptEnd(
        old?.attempts.find(({ id }) => id === attempt.id),
        attempt,
        job,
        optional,
      );
    }),
    ...waiting(old, job),
  ];
}

function attemptStart(old: AttemptView | undefined, attempt: AttemptView): readonly Change[] {
  const again = attempt.number === 1 ? '' : ` (attempt ${attempt.number})`;
  return [
    ...(old === undefined
      ? [{ at: attempt.assignedAt, text: `assigned to ${attempt.agentName}${again}` }]
      : []),
  ];
}

/** Running is what the steps tell. */
function phaseChange(
  old: AttemptView | undefined,
  { phase, end, agentName }: AttemptView,
): readonly Change[] {
  const told = phase !== null && phase !== 'running' && phase !== old?.phase && end === null;
  return told ? [{ at: null, text: `${agentName} is ${phase}` }] : [];
}

function stepChanges(old: StepView | undefined, step: StepView, job: JobView): readonly Change[] {
  const changes: Change[] = [];
  const position = job.steps.indexOf(step) + 1;
  if (step.startedAt !== null && step.startedAt !== old?.startedAt) {
    changes.push({
      at: step.startedAt,
      text: `step ${position} of ${job.steps.length}, ${step.name}: ${step.message}`,
    });
  }
  if (step.endedAt !== null && (step.endedAt !== old?.endedAt || step.startedAt !== old.startedAt)) {
    const took = step.startedAt === null ? '' : ` after ${formatDuration(step.endedAt - step.startedAt)}`;
    const how = step.outcome === null ? step.state : describeOutcome(step.outcome);
    changes.push({ at: step.endedAt, text: `${step.name} ${how}${took}` });
  }
  return changes;
}

function attemptEnd(
  old: AttemptView | undefined,
  attempt: AttemptView,
  job: JobView,
  optional: boolean,
): readonly Change[] {
  if (attempt.end === null || old?.end != null) return [];
  // What a step did has been said with the step.
  const failed = optional ? 'failed (optional)' : 'failed';
  const text = attempt.end.kind === 'failed' ? failed : describeEnd(attempt.end, job);
  return [{ at: attempt.endedAt, text }];
}

function waiting(old: JobView | undefined, job: JobView): readonly Change[] {
  const waits = job.state === 'waiting' && job.waitingReason !== '';
  const changed = job.waitingReason !== old?.waitingReason || old.state !== 'waiting';
  if (waits && changed) return [{ at: null, text: `waiting: ${job.waitingReason}` }];
  // How long it has been so would be a change each second.
  const isHeld = job.state === 'blocked' && job.needs.length === 0 && job.waitingReason !== '';
  if (isHeld && (old?.waitingReason ?? '') === '') return [{ at: null, text: job.waitingReason }];
  // It was never begun, so no attempt tells of it.
  const isGivenUp = job.state === 'failed' && old?.state !== 'failed' && job.attempts.length === 0;
  return isGivenUp ? [{ at: null, text: `failed: ${job.waitingReason}` }] : [];
}
