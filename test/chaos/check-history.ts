import type {
  Artifact,
  AttemptEnd,
  AttemptId,
  AttemptView,
  BuildDetail,
  FarmEvent,
  JobView,
} from '#libs/contracts';
import type { Operation } from './history.js';
import type { TruthLine } from './truth-log.js';

/** A build as the farm tells of it when everything is at rest. */
export interface BuildEvidence {
  readonly detail: BuildDetail;
  readonly artifacts: readonly Artifact[];
  /** SHA-256 of the bytes of its images, as whoever asks for them gets them, by name. */
  readonly served: ReadonlyMap<string, string>;
  /** Text of its trace files. */
  readonly traces: readonly string[];
  /** By attempt; those that never began have none. */
  readonly logs: ReadonlyMap<AttemptId, LogEvidence>;
}

export interface LogEvidence {
  readonly text: string;
  /** Bytes that the agent wrote, and that the farm says it has not. */
  readonly missing: number;
  /** The farm says that its attempt was lost, and that there may have been more. */
  readonly breaksOff: boolean;
}

export interface PlannedToyStep {
  readonly name: string;
  /** Steps whose effects it must find. */
  readonly after: readonly string[];
  /** The one image that it makes; `null`: its effects are in all of them. */
  readonly image: string | null;
}

/** All that is known when a run has ended: what the harness did, what steps noted themselves, what the farm says, what lies about. */
export interface Evidence {
  readonly operations: readonly Operation[];
  /** Of the whole farm, from its start on. */
  readonly events: readonly FarmEvent[];
  readonly truth: readonly TruthLine[];
  readonly builds: readonly BuildEvidence[];
  readonly steps: readonly PlannedToyStep[];
  readonly linesOfStep: number;
  /** SHA-256 by name of the artifact, of a build that nobody disturbed. */
  readonly undisturbed: ReadonlyMap<string, string>;
  /** What should not be there any more, each in words. */
  readonly left: readonly string[];
  readonly limits: Limits;
}

/** Milliseconds. */
export interface Limits {
  /** From the moment when everything works again, until all builds have ended. */
  readonly recoverMs: number;
  /** From a cancel until the build is at rest, in a farm that works. */
  readonly cancelMs: number;
}

/** One of those of the reference, by their numbers. */
export type Invariant = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

export interface Violation {
  readonly invariant: Invariant;
  readonly text: string;
  readonly build: string | null;
}

type Check = (evidence: Evidence) => Iterable<Violation>;

export const INVARIANTS: Readonly<Record<Invariant, { readonly title: string; readonly check: Check }>> = {
  1: { title: 'every submission reaches one end', check: everySubmissionEnds },
  2: { title: 'what counts of a step comes from one epoch', check: effectsOfOneEpoch },
  3: { title: 'no two steps in one workspace at a time', check: neverOverlapping },
  4: { title: 'steps in order, each from its checkpoint', check: stepsInOrder },
  5: { title: 'nothing of a stale epoch is kept', check: nothingStale },
  6: { title: 'images are those of an undisturbed build', check: sameImages },
  7: { title: 'logs and events without holes', check: withoutHoles },
  8: { title: 'states follow the table', check: statesFollow },
  9: { title: 'nothing is left behind', check: nothingLeft },
  10: { title: 'back to work in time', check: inTime },
};

/** What is wrong, in the order of the invariants; nothing, when all hold. */
export function checkHistory(evidence: Evidence): readonly Violation[] {
  return Object.values(INVARIANTS).flatMap(({ check }) => [...check(evidence)]);
}

function* everySubmissionEnds({ operations, builds, events }: Evidence): Iterable<Violation> {
  const wrong = (text: string, build: string | null): Violation => ({ invariant: 1, text, build });
  const submissions = operations.filter(({ name }) => name === 'submit');
  const buildsOf = new Map<unknown, Set<string>>();
  for (const { phase, build, data } of submissions) {
    if (phase !== 'ok' || build === null) continue;
    buildsOf.set(data['key'], (buildsOf.get(data['key']) ?? new Set()).add(build));
  }
  for (const [key, ids] of buildsOf) {
    if (ids.size > 1) yield wrong(`submission ${String(key)} became ${[...ids].join(' and ')}`, null);
  }
  const asked = new Set(submissions.map(({ data }) => data['key']));
  for (const { detail } of builds) {
    if (!asked.has(detail.note)) yield wrong('nobody submitted it', detail.id);
  }
  const known = new Map(builds.map(({ detail }) => [detail.id as string, detail]));
  for (const id of new Set([...buildsOf.values()].flatMap((ids) => [...ids]))) {
    const detail = known.get(id);
    if (detail === undefined) yield wrong('it was acknowledged, and the farm does not know it', id);
    else if (detail.state !== 'succeeded') yield wrong(`it is ${detail.state}: ${detail.summary}`, id);
    const ends = events.filter(
      ({ type, build, data }) => type === 'build-ended' && build === id && data['state'] === 'succeeded',
    );
    if (detail?.state === 'succeeded' && ends.length !== 1) yield wrong(`it ended ${ends.length} times`, id);
  }
  yield* nothingFailsByItself(operations, events);
}

/** Steps of the toy image do what they are told: only a full disk makes one fail. What the farm itself does wrong it may try again, or give up. */
function* nothingFailsByItself(
  operations: readonly Operation[],
  events: readonly FarmEvent[],
): Iterable<Violation> {
  const full = operations.filter(({ name }) => name === 'disk-full').map(({ wall }) => wall);
  for (const { type, data, build, at } of events) {
    const end = data['end'] as AttemptEnd | undefined;
    if (type !== 'job-ended' || (end?.kind !== 'failed' && end?.kind !== 'output')) continue;
    // Those before the first operation are an earlier mix's.
    if (at < (operations[0]?.wall ?? 0) || full.some((wall) => wall <= at)) continue;
    yield { invariant: 1, text: `a step failed: ${JSON.stringify(end)}`, build };
  }
}

/** An execution, as the images' traces name it. */
interface Traced {
  readonly execution: string;
  readonly step: string;
}

function tracedIn(trace: string): readonly Traced[] {
  const lines = trace.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [execution = '', step = ''] = line.split(' ');
    return { execution, step };
  });
}

function* effectsOfOneEpoch({ builds, truth, steps }: Evidence): Iterable<Violation> {
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

/** One execution of a step, and the attempt whose it was. */
interface Run {
  readonly begin: TruthLine;
  readonly end: TruthLine | null;
  readonly attempt: AttemptView | null;
}

/** What was executed for a build, by execution. */
function runsOf(
  { id, jobs }: BuildDetail,
  truth: readonly TruthLine[],
  logs: BuildEvidence['logs'],
): ReadonlyMap<string, Run> {
  const runs = new Map<string, Run>();
  const owners = loggedBy(logs);
  for (const line of truth.filter(({ area }) => buildOf(area) === id)) {
    const { execution, step } = line;
    const job = jobOf(jobs, step);
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

const LINE_OF_EXECUTION = /\| line (\S+) \d+$/gm;

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

function jobOf(jobs: readonly JobView[], step: string): JobView | null {
  return jobs.find(({ steps }) => steps.some(({ name }) => name === step)) ?? null;
}

/** By place and time: steps are not told which attempt they belong to. An agent's next attempt at a job begins when the one before has ended there. */
function attemptThatRan(job: JobView | null, begin: TruthLine): AttemptView | null {
  const there = job?.attempts.filter(({ agentName }) => agentName === begin.host) ?? [];
  return there.findLast(({ startedAt }) => startedAt !== null && startedAt <= begin.wall) ?? null;
}

function wasLost({ end }: AttemptView): boolean {
  return end?.kind === 'infrastructure' && end.fault === 'lost';
}

function* neverOverlapping({ truth }: Evidence): Iterable<Violation> {
  const wrong = ({ area, step, host }: TruthLine, text: string): Violation => ({
    invariant: 3,
    text: `${step} on ${host}: ${text}`,
    build: buildOf(area),
  });
  const ended = new Set(truth.filter(({ what }) => what === 'end').map(({ execution }) => execution));
  const inside = new Map<string, TruthLine>();
  for (const line of truth) {
    const place = `${line.host} ${line.area} ${line.workspace}`;
    if (line.what === 'begin' && !line.alone) yield wrong(line, 'another step still had the workspace');
    const other = inside.get(place);
    if (line.what === 'begin' && other !== undefined && ended.has(other.execution))
      yield wrong(line, `${other.step} ended later`);
    if (line.what === 'begin') inside.set(place, line);
    else if (other?.execution === line.execution) inside.delete(place);
  }
}

function* stepsInOrder({ truth, steps, events }: Evidence): Iterable<Violation> {
  const wrong = (text: string, build: string | null): Violation => ({ invariant: 4, text, build });
  const ended = new Set<string>();
  for (const { what, step, found, foundOf, area, host, execution } of truth) {
    if (what === 'end') ended.add(execution);
    if (what !== 'begin') continue;
    const half = foundOf.find((each) => !ended.has(each));
    if (half !== undefined)
      yield wrong(`${step} on ${host} found the effects of ${half}, which had not ended`, buildOf(area));
    const after = steps.find(({ name }) => name === step)?.after ?? [];
    if (found.join() !== after.join())
      yield wrong(`${step} on ${host} found the effects of [${found.join(', ')}]`, buildOf(area));
  }
  const reached = new Map<string, { readonly index: number; readonly done: boolean }>();
  const labels = new Map<unknown, unknown>();
  for (const { type, attempt, build, data } of events) {
    const checkpoint = data['checkpoint'];
    if (type === 'checkpoint-taken' || type === 'checkpoint-fetched') labels.set(checkpoint, data['label']);
    if (
      type === 'resumed' &&
      labels.has(checkpoint) &&
      labels.get(checkpoint) !== `.step_${String(data['step'])}`
    )
      yield wrong(`it resumed at ${String(data['step'])} from ${String(labels.get(checkpoint))}`, build);
    const index = Number(data['index']);
    // Also in the middle of an attempt, when room was made for a step that had filled the store.
    if (attempt !== null && type === 'resumed') reached.set(attempt, { index: index - 1, done: true });
    if (attempt === null || (type !== 'step-started' && type !== 'step-ended')) continue;
    const before = reached.get(attempt);
    if (type === 'step-started' && before !== undefined && !(before.done && before.index === index - 1))
      yield wrong(`attempt ${attempt} started step ${index} after ${before.index}`, build);
    const succeeded = (data['outcome'] as { kind?: string } | undefined)?.kind === 'succeeded';
    if (type === 'step-ended' && before?.index !== index)
      yield wrong(`attempt ${attempt} ended step ${index}, which it had not started`, build);
    reached.set(attempt, { index, done: type === 'step-ended' && succeeded });
  }
}

const TOLD_BY_ATTEMPTS: ReadonlySet<string> = new Set([
  'attempt-phase',
  'resumed',
  'output-imported',
  'step-started',
  'step-ended',
  'checkpoint-taken',
  'checkpoint-fetched',
  'artifact-published',
]);

function* nothingStale({ events, builds }: Evidence): Iterable<Violation> {
  const wrong = (text: string, build: string | null): Violation => ({ invariant: 5, text, build });
  const current = new Map<string, AttemptId | null>();
  for (const { type, job, attempt, build } of events) {
    if (job === null) continue;
    if (type === 'job-assigned') current.set(job, attempt);
    if (type === 'job-ended') current.set(job, null);
    if (TOLD_BY_ATTEMPTS.has(type) && current.get(job) !== attempt)
      yield wrong(`${type} of attempt ${String(attempt)} was kept, which no longer had the job`, build);
  }
  for (const { detail, artifacts, logs } of builds) {
    const attempts = new Map(detail.jobs.flatMap((job) => job.attempts).map((each) => [each.id, each]));
    for (const { attempt, name } of artifacts) {
      // What a build has that is still to succeed, the attempt with which it does will publish again.
      if (detail.state === 'succeeded' && attempts.get(attempt)?.end?.kind !== 'succeeded')
        yield wrong(`${name} is of attempt ${attempt}, which did not succeed`, detail.id);
    }
    yield* epochsGrow(detail.jobs, detail.id);
    yield* foreignLines(attempts, logs, detail.id);
  }
}

function* epochsGrow(jobs: readonly JobView[], build: string): Iterable<Violation> {
  for (const { attempts } of jobs) {
    const epochs = attempts.map(({ epoch }) => epoch);
    if (epochs.some((epoch, index) => index > 0 && epoch <= epochs[index - 1]!))
      yield { invariant: 5, text: `epochs ${epochs.join(', ')} of one job`, build };
  }
}

/** An execution's lines stand in the log of one attempt only. */
function* foreignLines(
  attempts: ReadonlyMap<AttemptId, AttemptView>,
  logs: BuildEvidence['logs'],
  build: string,
): Iterable<Violation> {
  const owners = new Map<string, AttemptId>();
  for (const id of attempts.keys()) {
    for (const [, execution = ''] of (logs.get(id)?.text ?? '').matchAll(LINE_OF_EXECUTION)) {
      const owner = owners.get(execution);
      if (owner !== undefined && owner !== id)
        yield { invariant: 5, text: `the log of ${id} has lines of attempt ${owner}`, build };
      owners.set(execution, id);
    }
  }
}

function* sameImages({ builds, undisturbed }: Evidence): Iterable<Violation> {
  for (const { detail, artifacts, served } of builds.filter(hasSucceeded)) {
    for (const [name, sha256] of undisturbed) {
      const wrong = (text: string): Violation => ({
        invariant: 6,
        text: `${name} ${text}`,
        build: detail.id,
      });
      const found = artifacts.filter((artifact) => artifact.name === name);
      if (found.length !== 1) yield wrong(`was published ${found.length} times`);
      for (const each of new Set([...found.map((artifact) => artifact.sha256), served.get(name)])) {
        if (each !== undefined && each !== sha256) yield wrong(`is ${each}, and ${sha256} undisturbed`);
      }
    }
  }
}

function* withoutHoles({ builds, events, truth, linesOfStep }: Evidence): Iterable<Violation> {
  const wrong = (text: string, build: string | null): Violation => ({ invariant: 7, text, build });
  for (const [index, { seq }] of events.entries()) {
    if (seq !== index + 1) {
      yield wrong(`event ${seq} came where ${index + 1} was expected`, null);
      break;
    }
  }
  const revoked = new Set(events.filter(({ type }) => type === 'agent-revoked').map(({ agent }) => agent));
  for (const { detail, logs, traces } of builds.filter(hasSucceeded)) {
    for (const attempt of detail.jobs.flatMap(({ attempts }) => attempts)) {
      const log = logs.get(attempt.id);
      const bytes = Buffer.byteLength(log?.text ?? '');
      if (bytes !== attempt.logBytes)
        yield wrong(
          `the log of ${attempt.id} has ${bytes} bytes, and ${attempt.logBytes} are said`,
          detail.id,
        );
      if (log === undefined || revoked.has(attempt.agent)) continue;
      if (log.missing > 0)
        yield wrong(`${log.missing} bytes of the log of ${attempt.id} never came`, detail.id);
      if (log.breaksOff && attempt.end?.kind === 'succeeded')
        yield wrong(`the log of ${attempt.id} breaks off, which succeeded`, detail.id);
    }
    const runs = runsOf(detail, truth, logs);
    for (const traced of traces.flatMap(tracedIn)) {
      const attempt = runs.get(traced.execution)?.attempt ?? null;
      const log = attempt === null ? undefined : logs.get(attempt.id);
      if (log === undefined) continue;
      const said = whatTheLogLacks(log, traced, linesOfStep);
      if (said !== null) yield wrong(`${traced.step}: ${said}`, detail.id);
    }
  }
}

/** A log that says that bytes are lost may lack them; one that is said to break off, or not to be whole, may lack its end. */
function whatTheLogLacks(
  { text, missing, breaksOff }: LogEvidence,
  { execution }: Traced,
  linesOfStep: number,
): string | null {
  if (/ dc \| \d+ bytes lost here/.test(text)) return null;
  const found = text.matchAll(new RegExp(`\\| line ${execution} (\\d+)$`, 'gm'));
  const lines = [...found].map(([, line]) => Number(line));
  const mayLackItsEnd = breaksOff || missing > 0;
  const isWhole =
    lines.every((line, index) => line === index + 1) && (mayLackItsEnd || lines.length === linesOfStep);
  return isWhole ? null : `it wrote lines 1 to ${linesOfStep}, the log has ${lines.join() || 'none'}`;
}

type JobMark = 'new' | 'waiting' | 'assigned' | 'running' | 'paused' | 'failed' | 'cancelled' | 'succeeded';

/** Which states an event may find a job in. What is at rest goes on by a person's word only. */
const MAY_FIND: Readonly<Record<string, readonly JobMark[]>> = {
  'job-waiting': ['new', 'waiting'],
  'job-assigned': ['waiting'],
  'job-started': ['assigned'],
  'job-ended': ['assigned', 'running'],
};

function* statesFollow({ events }: Evidence): Iterable<Violation> {
  const states = new Map<string, JobMark>();
  const resumed = new Set<string>();
  const jobsOf = new Map<string, Set<string>>();
  for (const { type, job, build, data, seq } of events) {
    if (type === 'build-resumed' && build !== null)
      for (const each of jobsOf.get(build) ?? []) resumed.add(each);
    const allowed = MAY_FIND[type];
    if (job === null || build === null || allowed === undefined) continue;
    jobsOf.set(build, (jobsOf.get(build) ?? new Set()).add(job));
    const state = states.get(job) ?? 'new';
    const wasResumed = type === 'job-waiting' && resumed.has(job) && state !== 'succeeded';
    if (!wasResumed && !allowed.includes(state))
      yield { invariant: 8, text: `event ${seq}: ${type} found job ${job} ${state}`, build };
    if (type === 'job-waiting') resumed.delete(job);
    states.set(job, stateAfter(type, data));
  }
  yield* nothingAfterTheEnd(events);
}

/** A build that has come to rest goes on by a person's word only. */
function* nothingAfterTheEnd(events: readonly FarmEvent[]): Iterable<Violation> {
  const atRest = new Set<string>();
  for (const { type, build, seq } of events) {
    if (build === null) continue;
    if (type === 'build-ended') atRest.add(build);
    if (type === 'build-resumed') atRest.delete(build);
    if (atRest.has(build) && GOES_ON.has(type))
      yield { invariant: 8, text: `event ${seq}: ${type} of a build that had ended`, build };
  }
}

const GOES_ON: ReadonlySet<string> = new Set(['job-waiting', 'job-assigned', 'job-started', 'step-started']);

function stateAfter(type: string, data: FarmEvent['data']): JobMark {
  if (type === 'job-waiting') return 'waiting';
  if (type === 'job-assigned') return 'assigned';
  if (type === 'job-started') return 'running';
  return data['state'] as JobMark;
}

function* nothingLeft({ left }: Evidence): Iterable<Violation> {
  for (const text of left) yield { invariant: 9, text, build: null };
}

function* inTime({ operations, events, limits }: Evidence): Iterable<Violation> {
  for (const { name, data, phase } of operations) {
    const ms = Number(data['ms']);
    if (name === 'recover' && phase !== 'invoke' && !(phase === 'ok' && ms <= limits.recoverMs))
      yield {
        invariant: 10,
        text: `everything worked again, and builds went on for ${Math.round(ms / 1000)} s`,
        build: null,
      };
  }
  for (const { wall, build } of operations.filter(({ name, phase }) => name === 'cancel' && phase === 'ok')) {
    if (isDisturbed(operations, wall, limits.cancelMs)) continue;
    const ended = events.find(
      (event) => event.type === 'build-ended' && event.build === build && event.at >= wall,
    );
    if (ended === undefined || ended.at - wall > limits.cancelMs)
      yield { invariant: 10, text: `cancelled, and not at rest ${limits.cancelMs} ms later`, build };
  }
}

/** Whether any other fault was at work in that time. */
function isDisturbed(operations: readonly Operation[], from: number, ms: number): boolean {
  const open = new Set<unknown>();
  for (const { actor, phase, wall, data, name } of operations) {
    if (actor !== 'chaos' || wall > from + ms || name === 'recover' || name.startsWith('user-')) continue;
    if (phase === 'invoke') open.add(data['fault']);
    else if (wall < from) open.delete(data['fault']);
  }
  return open.size > 0;
}

function hasSucceeded({ detail }: BuildEvidence): boolean {
  return detail.state === 'succeeded';
}

function buildOf(area: string): string {
  return area.split('.')[0] ?? area;
}
