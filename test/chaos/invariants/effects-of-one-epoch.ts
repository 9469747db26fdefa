import type { AttemptView, BuildId, JobView } from '#libs/contracts';
import type { TruthLine } from '../truth-log.js';
import { buildOf, hasSucceeded, type Evidence, type TraceEvidence, type Violation } from './evidence.js';
import { jobOf, runsOf, tracedIn, wasLost, type Run } from './executions.js';

export function* effectsOfOneEpoch(evidence: Evidence): Iterable<Violation> {
  const noted = notedBy(evidence.truth);
  for (const build of evidence.builds.filter(hasSucceeded)) {
    const wrong = (text: string): Violation => ({ invariant: 2, text, build: build.detail.id });
    for (const trace of build.traces) {
      const lacks = whatAnImageLacks(trace, evidence.steps);
      if (lacks !== null) yield wrong(lacks);
    }
    const ran = runsOf(build.detail, evidence.truth, build.logs);
    for (const variant of new Set(build.traces.map((trace) => trace.variant))) {
      const counting = new Map<string, string>();
      for (const { step, execution } of build.traces
        .filter((each) => each.variant === variant)
        .flatMap(tracedIn)) {
        const other = counting.get(step);
        if (other !== undefined && other !== execution)
          yield wrong(`its images have the effects of two executions of ${step}`);
        counting.set(step, execution);
      }
      for (const [step, execution] of counting) {
        const taste = noted.get(execution)?.begin.taste;
        if (taste !== undefined && taste !== build.tastes.get(`${variant}/${step}`))
          yield wrong(`${step} is another one of its name: ${taste}`);
        const job = jobOf(build.detail.jobs, variant, step);
        const from = job?.steps.find(({ name }) => name === step)?.reusedFrom ?? null;
        const said =
          from === null
            ? whyNotCounting(job, ran, step, execution)
            : whyNotTakenOver(noted.get(execution), originsOf(evidence.origins, step, from));
        if (said !== null) yield wrong(`${step}: ${said}`);
      }
    }
  }
}

function whatAnImageLacks(trace: TraceEvidence, steps: Evidence['steps']): string | null {
  const names = tracedIn(trace).map(({ step }) => step);
  const own = steps.find(({ name, image }) => image !== null && names.includes(name));
  const expected = steps.filter(({ image }) => image === null || image === own?.image);
  const isWhole =
    names.toSorted().join() ===
    expected
      .map(({ name }) => name)
      .toSorted()
      .join();
  return isWhole ? null : `an image has the effects of ${names.toSorted().join(', ')}`;
}

/** What an execution noted of itself, for whichever build. */
interface Noted {
  readonly begin: TruthLine;
  readonly hasEnded: boolean;
}

function notedBy(truth: readonly TruthLine[]): ReadonlyMap<string, Noted> {
  const noted = new Map<string, Noted>();
  for (const line of truth) {
    const { begin } = noted.get(line.execution) ?? { begin: line };
    noted.set(line.execution, { begin, hasEnded: line.what === 'end' });
  }
  return noted;
}

/** Builds for which a step may have been run that was taken over from one: that one may have taken it over, too. */
function originsOf(origins: Evidence['origins'], step: string, from: BuildId): ReadonlySet<string> {
  const found = new Set<BuildId>([from]);
  for (const build of found) {
    const steps = origins.get(build)?.jobs.flatMap((job) => job.steps) ?? [];
    for (const { name, reusedFrom } of steps) if (name === step && reusedFrom !== null) found.add(reusedFrom);
  }
  return found;
}

function whyNotTakenOver(noted: Noted | undefined, origins: ReadonlySet<string>): string | null {
  if (noted === undefined) return 'nobody noted the execution';
  const { begin, hasEnded } = noted;
  if (!hasEnded) return `the execution ${begin.execution} did not come to its end`;
  const build = buildOf(begin.area);
  return origins.has(build)
    ? null
    : `it was run for ${build}, and taken over from ${[...origins].join(' or ')}`;
}

/**
 * An execution counts when the attempt with which the job succeeded ran it, or found it in the state that it went on from. Of an attempt before that one the record need
 * not have heard; of one that was not lost it has, and says the same as the step itself.
 */
function whyNotCounting(
  job: JobView | null,
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
