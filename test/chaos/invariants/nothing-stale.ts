import type { AttemptId, AttemptView, JobView } from '#libs/contracts';
import type { BuildEvidence, Evidence, Violation } from './evidence.js';
import { LINE_OF_EXECUTION } from './executions.js';

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

export function* nothingStale({ events, builds, origins }: Evidence): Iterable<Violation> {
  const wrong = (text: string, build: string | null): Violation => ({ invariant: 5, text, build });
  const current = new Map<string, AttemptId | null>();
  for (const { type, job, attempt, build } of events) {
    if (job === null) continue;
    if (type === 'job-assigned') current.set(job, attempt);
    if (type === 'job-ended') current.set(job, null);
    // What a job takes over is of no attempt at it.
    if (TOLD_BY_ATTEMPTS.has(type) && (current.get(job) ?? null) !== attempt)
      yield wrong(`${type} of attempt ${String(attempt)} was kept, which no longer had the job`, build);
  }
  for (const { detail, artifacts, logs } of builds) {
    const attempts = new Map(detail.jobs.flatMap((job) => job.attempts).map((each) => [each.id, each]));
    const succeeded = new Set(
      [...origins.values()]
        .flatMap(({ jobs }) => jobs.flatMap((job) => job.attempts))
        .flatMap(({ id, end }) => (end?.kind === 'succeeded' ? [id] : [])),
    );
    for (const { attempt, name } of artifacts) {
      // What a build has that is still to succeed, the attempt with which it does will publish again.
      if (detail.state === 'succeeded' && !succeeded.has(attempt))
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
