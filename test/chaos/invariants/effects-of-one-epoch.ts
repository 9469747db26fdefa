import type { AttemptView, JobView } from '#libs/contracts';
import { hasSucceeded, type Evidence, type Violation } from './evidence.js';
import { jobOf, runsOf, tracedIn, wasLost, type Run } from './executions.js';

export function* effectsOfOneEpoch({ builds, truth, steps }: Evidence): Iterable<Violation> {
  for (const { detail, traces, logs } of builds.filter(hasSucceeded)) {
    const wrong = (text: string): Violation => ({ invariant: 2, text, build: detail.id });
    const counting = new Map<string, string>();
    for (const trace of traces) {
      const traced = tracedIn(trace);
      const names = traced.map(({ step }) => step).toSorted();
      const own = steps.find(({ name, image }) => image !== null && names.includes(name));
      const expected = steps.filter(({ image }) => image === null || image === own?.image);
      if (
        names.join() !==
        expected
          .map(({ name }) => name)
          .toSorted()
          .join()
      )
        yield wrong(`an image has the effects of ${names.join(', ')}`);
      for (const { step, execution } of traced) {
        const other = counting.get(step);
        if (other !== undefined && other !== execution)
          yield wrong(`its images have the effects of two executions of ${step}`);
        counting.set(step, execution);
      }
    }
    const ran = runsOf(detail, truth, logs);
    for (const [step, execution] of counting) {
      const said = whyNotCounting(detail.jobs, ran, step, execution);
      if (said !== null) yield wrong(`${step}: ${said}`);
    }
  }
}

/**
 * An execution counts when the attempt with which the job succeeded ran it, or found it in the state that it went on from. Of an attempt before that one the record need
 * not have heard; of one that was not lost it has, and says the same as the step itself.
 */
function whyNotCounting(
  jobs: readonly JobView[],
  runs: ReadonlyMap<string, Run>,
  step: string,
  execution: string,
): string | null {
  const run = runs.get(execution);
  if (run === undefined) return `nobody noted the execution ${execution} for this build`;
  const { begin, end, attempt } = run;
  if (end === null) return `the execution ${execution} did not come to its end`;
  if (attempt === null) return `no attempt was on ${begin.host} then`;
  if (attempt.agentName !== begin.host)
    return `it ran on ${begin.host}, and stands in the log of an attempt on ${attempt.agentName}`;
  const job = jobOf(jobs, step);
  const winner = job?.attempts.find(({ end: how }) => how?.kind === 'succeeded');
  const record = job?.steps.find(({ name }) => name === step);
  if (job === null || winner === undefined) return 'its job has no attempt that succeeded';
  if (record?.state !== 'succeeded') return `the record says that it is ${String(record?.state)}`;
  const grown = grewFrom(job, winner, runs);
  if (attempt.id !== winner.id && grown !== null && !grown.includes(execution))
    return `attempt ${winner.id} succeeded with it, and neither ran the execution ${execution} nor found it`;
  if (attempt.id !== record.attempt) {
    const named = job.attempts.find(({ id }) => id === record.attempt);
    return wasLost(attempt) || (named !== undefined && wasLost(named))
      ? null
      : `it was attempt ${attempt.id} that ran it, not ${String(record.attempt)}`;
  }
  // Of what a lost attempt did, the record may know that it did it, and not when.
  const isThen =
    (record.startedAt === null ? wasLost(attempt) : begin.wall >= record.startedAt) &&
    (end.wall <= (record.endedAt ?? -Infinity) || wasLost(attempt));
  return isThen ? null : `the execution ${execution} is not the one that the record tells of`;
}

/** Executions in the state that the attempt went on from; `null`: it ran no step, which could have seen them. */
function grewFrom(
  job: JobView,
  { id }: AttemptView,
  runs: ReadonlyMap<string, Run>,
): readonly string[] | null {
  const own = [...runs.values()].filter(({ attempt }) => attempt?.id === id);
  return own.find(({ begin }) => job.steps.some(({ name }) => name === begin.step))?.begin.foundOf ?? null;
}
