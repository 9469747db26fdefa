import type { AttemptId, AttemptView, BuildDetail, JobView } from '#libs/contracts';
import type { TruthLine } from '../truth-log.js';
import { buildOf, variantOf, type BuildEvidence, type TraceEvidence } from './evidence.js';

/** An execution, as the images' traces name it. */
export interface Traced {
  readonly execution: string;
  readonly step: string;
}

export function tracedIn({ text }: TraceEvidence): readonly Traced[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [execution = '', step = ''] = line.split(' ');
    return { execution, step };
  });
}

/** One execution of a step, and the attempt whose it was. */
export interface Run {
  readonly begin: TruthLine;
  readonly end: TruthLine | null;
  readonly attempt: AttemptView | null;
}

/** What was executed for a build, by execution. */
export function runsOf(
  { id, jobs }: BuildDetail,
  truth: readonly TruthLine[],
  logs: BuildEvidence['logs'],
): ReadonlyMap<string, Run> {
  const runs = new Map<string, Run>();
  const owners = loggedBy(logs);
  for (const line of truth.filter(({ area }) => buildOf(area) === id)) {
    const { execution, step } = line;
    const job = jobOf(jobs, variantOf(line.area), step);
    const owner = job?.attempts.find((attempt) => attempt.id === owners.get(execution));
    if (line.what === 'begin')
      runs.set(execution, { begin: line, end: null, attempt: owner ?? attemptThatRan(job, line) });
    const run = runs.get(execution);
    if (line.what === 'end' && run !== undefined) runs.set(execution, { ...run, end: line });
  }
  return runs;
}

/** Attempts by the executions of which their logs have lines. */
function loggedBy(logs: BuildEvidence['logs']): ReadonlyMap<string, AttemptId> {
  const owners = new Map<string, AttemptId>();
  for (const [attempt, { text }] of logs) {
    for (const [, execution = ''] of text.matchAll(LINE_OF_EXECUTION)) owners.set(execution, attempt);
  }
  return owners;
}

export const LINE_OF_EXECUTION = /\| line (\S+) \d+$/gm;

export function jobOf(jobs: readonly JobView[], variant: string, step: string): JobView | null {
  return jobs.find((job) => job.variant === variant && job.steps.some(({ name }) => name === step)) ?? null;
}

/** By place and time: steps are not told which attempt they belong to. An agent's next attempt at a job begins when the one before has ended there. */
function attemptThatRan(job: JobView | null, begin: TruthLine): AttemptView | null {
  const there = job?.attempts.filter(({ agentName }) => agentName === begin.host) ?? [];
  return there.findLast(({ startedAt }) => startedAt !== null && startedAt <= begin.wall) ?? null;
}

export function wasLost({ end }: AttemptView): boolean {
  return end?.kind === 'infrastructure' && end.fault === 'lost';
}
