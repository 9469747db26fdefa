import type { AgentId, AttemptEnd, JobState, Wish } from '#libs/contracts';

/** What becomes of a job when its attempt has ended. */
export interface NextForJob {
  readonly state: Extract<JobState, 'succeeded' | 'paused' | 'cancelled' | 'failed' | 'waiting'>;
  readonly retries: number;
  readonly avoid: readonly AgentId[];
  /** For people: why it waits again, or failed. */
  readonly reason: string;
  /** Whether the end speaks against the agent. */
  readonly blamesAgent: boolean;
}

export interface EndedJob {
  readonly retries: number;
  readonly avoid: readonly AgentId[];
  readonly wish: Wish;
  /** The build is to pause before some step: a pause there is what its user wants. */
  readonly pauseIsPending: boolean;
  readonly agent: AgentId;
  /** The agent itself is back, with its checkpoints: no reason to go elsewhere. */
  readonly agentRestarted: boolean;
  /** The attempt took a checkpoint further on than any before it. */
  readonly gotFurther: boolean;
}

/**
 * A fault of the farm's is no fault of the build's, so it is tried again; but what fails three times without getting a step further will fail again. Whoever
 * keeps a checkpoint that is further on than any before sets the count back.
 */
export const MOST_RETRIES = 2;

/**
 * A step's own verdict is never tried again by itself: the script would say the same. A fault of the infrastructure is, elsewhere when possible, at most twice
 * between two words of a person. A cancelled build's jobs end as cancelled, a pausing one's are not started again.
 */
export function afterAttempt(job: EndedJob, end: AttemptEnd): NextForJob {
  const stay = { retries: job.retries, avoid: job.avoid, reason: '', blamesAgent: false };
  if (end.kind === 'succeeded') return { ...stay, state: 'succeeded' };
  if (job.wish === 'cancel') return { ...stay, state: 'cancelled' };
  switch (end.kind) {
    case 'paused':
      // Resumed while the agent was still on its way to the pause: then it goes on.
      return { ...stay, state: job.wish === 'pause' || job.pauseIsPending ? 'paused' : 'waiting' };
    case 'handed-over':
      return afterHandOver(job, end);
    case 'cancelled':
      return { ...stay, state: 'cancelled' };
    case 'failed':
    case 'output':
      return { ...stay, state: 'failed', reason: end.kind === 'output' ? end.reason : '' };
    case 'withdrawn':
      return { ...stay, state: job.wish === 'pause' ? 'paused' : 'waiting', reason: end.reason };
    case 'infrastructure':
      return afterFault(job, end);
  }
}

/** Where it was only asked for, it costs nothing. An agent without room is one to avoid, and one after the other may have none. */
function afterHandOver(job: EndedJob, end: Extract<AttemptEnd, { kind: 'handed-over' }>): NextForJob {
  if (end.cause === 'no-space' && !job.gotFurther)
    return afterFault(job, { kind: 'infrastructure', fault: 'no-space', at: end.before, reason: end.reason });
  const full = end.cause === 'no-space' && !job.avoid.includes(job.agent);
  return {
    state: job.wish === 'pause' ? 'paused' : 'waiting',
    retries: job.retries,
    avoid: full ? [...job.avoid, job.agent] : job.avoid,
    reason: end.reason,
    blamesAgent: false,
  };
}

function afterFault(job: EndedJob, end: Extract<AttemptEnd, { kind: 'infrastructure' }>): NextForJob {
  const stay = { retries: job.retries, avoid: job.avoid, reason: end.reason, blamesAgent: false };
  // Whoever stops a farm ten times in an evening has done nothing wrong.
  if (end.fault === 'stopped') return { ...stay, state: job.wish === 'pause' ? 'paused' : 'waiting' };
  // A draining agent's refusal costs the job nothing; one that refuses it again would otherwise do so for ever.
  const refused = end.fault === 'refused';
  const counts = !refused || job.avoid.includes(job.agent);
  const retries = job.retries + (counts ? 1 : 0);
  const avoid = job.agentRestarted || job.avoid.includes(job.agent) ? job.avoid : [...job.avoid, job.agent];
  const next = { retries, avoid, reason: end.reason, blamesAgent: !refused && !job.agentRestarted };
  if (job.wish === 'pause') return { ...next, state: 'paused' };
  if (retries <= MOST_RETRIES) return { ...next, state: 'waiting' };
  return {
    ...next,
    retries: job.retries,
    state: 'failed',
    reason: `${end.reason}; given up after ${MOST_RETRIES} retries`,
  };
}

const FAILURES_BEFORE_QUARANTINE = 3;
const FIRST_QUARANTINE_MS = 10_000;
const LONGEST_QUARANTINE_MS = 3_600_000;

/** Why an agent is in quarantine. */
export function failuresInARow(failures: number): string {
  return `the last ${failures} attempts on it failed, through no fault of theirs`;
}

/** How long an agent that has failed so many times in a row gets nothing: from the third on 10 s, doubling, at most an hour. */
export function quarantineMs(failuresInARow: number): number {
  if (failuresInARow < FAILURES_BEFORE_QUARANTINE) return 0;
  return Math.min(
    LONGEST_QUARANTINE_MS,
    FIRST_QUARANTINE_MS * 2 ** (failuresInARow - FAILURES_BEFORE_QUARANTINE),
  );
}
