import type { PlanPreview } from '#libs/contracts';
import { formatDuration } from './durations.js';
import { describeSum } from './step-fates.js';

type PlannedVariant = PlanPreview['variants'][number];
type PlannedJob = PlannedVariant['jobs'][number];

/** `102 of 134 steps run, usually 3h10m of work; 14m00s where an agent is free for each job` */
export function describePlan(variants: readonly PlannedVariant[]): string {
  const steps = variants.flatMap(({ jobs }) => jobs.flatMap((job) => job.steps));
  const sum = describeSum(steps);
  const work = steps.reduce((ms, { fate, usualMs }) => ms + (fate === 'runs' ? (usualMs ?? 0) : 0), 0);
  const quickest = Math.max(0, ...variants.map(quickestMs));
  return quickest === 0 || quickest >= work
    ? sum
    : `${sum}; ${formatDuration(quickest)} where an agent is free for each job`;
}

/** The longest way through the variant's jobs. What it shares takes as long, whoever runs it. */
function quickestMs({ jobs }: PlannedVariant): number {
  const endOf = new Map<number, number>();
  // A job needs only jobs in front of it.
  for (const job of jobs.toSorted((a, b) => a.index - b.index)) {
    const begin = Math.max(0, ...job.needs.map((index) => endOf.get(index) ?? 0));
    endOf.set(job.index, begin + takesMs(job));
  }
  return Math.max(0, ...endOf.values());
}

function takesMs({ steps }: PlannedJob): number {
  return steps.reduce((ms, { fate, usualMs }) => ms + (fate === 'reused' ? 0 : (usualMs ?? 0)), 0);
}
