import type { JobState } from '#libs/contracts';

/** What moves a job from one state to another. */
export type JobEvent =
  /** All that it needs has succeeded. */
  | 'unblock'
  /** Something that it needs is to run again. */
  | 'block'
  /** The scheduler chose an agent. */
  | 'place'
  /** The agent fetched it. */
  | 'claim'
  /** Taken back before the agent fetched it. */
  | 'withdraw'
  /** The attempt has ended, and the job rests or waits again: which of them, `afterAttempt` says. */
  | { readonly end: EndedAs }
  /** An operator wants it held; what an agent has already pauses by ending so. */
  | 'pause'
  | 'resume'
  /** An operator wants none of it; what an agent has already is cancelled by ending so. */
  | 'cancel';

type EndedAs = 'succeeded' | 'failed' | 'paused' | 'cancelled' | 'waiting';

export type NextJobState =
  | { readonly kind: 'moved'; readonly state: JobState }
  | { readonly kind: 'refused'; readonly reason: string };

type Moves = Readonly<Partial<Record<JobState, JobState>>>;

/**
 * Every move a job can make; the picture is in libs/contracts states.ts. A succeeded job is resumed, or blocked again, only when a person names a step to go back
 * to. An attempt that no agent fetched can end in all ways but success.
 */
const MOVES: Readonly<Record<Extract<JobEvent, string>, Moves>> = {
  unblock: { blocked: 'waiting' },
  block: {
    waiting: 'blocked',
    paused: 'blocked',
    failed: 'blocked',
    cancelled: 'blocked',
    succeeded: 'blocked',
  },
  place: { waiting: 'assigned' },
  claim: { assigned: 'running' },
  withdraw: { assigned: 'waiting' },
  pause: { blocked: 'paused', waiting: 'paused' },
  resume: { paused: 'waiting', failed: 'waiting', cancelled: 'waiting', succeeded: 'waiting' },
  cancel: { blocked: 'cancelled', waiting: 'cancelled', paused: 'cancelled' },
};

/** Where `event` takes a job that is in `state`; refused when it must not happen there, which is a fault of whoever says it did. */
export function nextJobState(state: JobState, event: JobEvent): NextJobState {
  const next = typeof event === 'string' ? MOVES[event][state] : afterEnd(state, event.end);
  if (next !== undefined) return { kind: 'moved', state: next };
  const what = typeof event === 'string' ? event : `end as ${event.end}`;
  return { kind: 'refused', reason: `a job that is ${state} cannot ${what}` };
}

function afterEnd(state: JobState, end: EndedAs): JobState | undefined {
  if (state === 'running') return end;
  return state === 'assigned' && end !== 'succeeded' ? end : undefined;
}
