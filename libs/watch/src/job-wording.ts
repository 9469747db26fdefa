import type { AttemptEnd, BuildDetail, InfrastructureFault, JobId, StepView } from '#libs/contracts';
import { describeOutcome } from './describe-outcome.js';

/** What a row calls its job: the lane; with the variant where there are several, with a number where a lane has several jobs. */
export function jobLabels({
  jobs,
  variants,
}: Pick<BuildDetail, 'jobs' | 'variants'>): ReadonlyMap<JobId, string> {
  const seen = new Map<string, number>();
  const labels = jobs.map((job) => {
    const base = variants.length > 1 ? `${job.variant}/${job.lane}` : job.lane;
    const count = (seen.get(base) ?? 0) + 1;
    seen.set(base, count);
    return [job.id, count === 1 ? base : `${base}:${count}`] as const;
  });
  return new Map(labels);
}

const FAULTS: Readonly<Record<InfrastructureFault, string>> = {
  lost: 'the agent was lost',
  transfer: 'an input or output could not be carried',
  'no-space': "the agent's store is full",
  store: "the agent's store failed",
  'base-missing': 'the agent has not what the job goes on from',
  agent: "fault of the agent's program",
  stopped: 'agent stopped by its host',
  refused: 'the agent does not want it',
};

/** How an attempt ended, in one line. */
export function describeEnd(
  end: AttemptEnd,
  job: { readonly steps: readonly Pick<StepView, 'index' | 'name'>[] },
): string {
  const nameOf = (index: number | null): string => {
    return index === null ? '' : (job.steps.find((step) => step.index === index)?.name ?? `step ${index}`);
  };
  switch (end.kind) {
    case 'succeeded':
      return 'succeeded';
    case 'paused':
      return `paused before ${nameOf(end.before)}`;
    case 'handed-over':
      return `handed over in front of ${nameOf(end.before)}: ${end.reason}`;
    case 'cancelled':
      return end.at === null ? 'cancelled' : `cancelled in ${nameOf(end.at)}`;
    case 'failed':
      return `${nameOf(end.step)} ${describeOutcome(end.outcome)}`;
    case 'output':
      return `${nameOf(end.step)}: ${end.reason}`;
    case 'infrastructure':
      return `${FAULTS[end.fault]}${end.at === null ? '' : ` in ${nameOf(end.at)}`}: ${end.reason}`;
    case 'withdrawn':
      return `withdrawn: ${end.reason}`;
  }
}

/** The states in which nothing happens to a build by itself. */
export function isAtRest({ state, jobs }: Pick<BuildDetail, 'state' | 'jobs'>): boolean {
  if (state === 'waiting' || state === 'running') return false;
  return !jobs.some((job) => job.state === 'assigned' || job.state === 'running');
}
