import type { FarmEvent } from '#libs/contracts';
import type { Evidence, Violation } from './evidence.js';

type JobMark = 'new' | 'waiting' | 'assigned' | 'running' | 'paused' | 'failed' | 'cancelled' | 'succeeded';

/** Which states an event may find a job in. What is at rest goes on by a person's word only. */
const MAY_FIND: Readonly<Record<string, readonly JobMark[]>> = {
  'job-waiting': ['new', 'waiting'],
  'job-assigned': ['waiting'],
  'job-started': ['assigned'],
  'job-ended': ['assigned', 'running'],
  'job-reused': ['waiting'],
};

export function* statesFollow({ events }: Evidence): Iterable<Violation> {
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
  if (type === 'job-reused') return 'succeeded';
  return data['state'] as JobMark;
}
