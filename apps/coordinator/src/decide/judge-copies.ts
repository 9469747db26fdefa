import type { AgentId, CopiesAnswer } from '#libs/contracts';
import type { CheckpointCopies } from './plan-replicas.js';

export interface CopiesInQuestion {
  /** `null`: nobody has said yet that the checkpoint exists. */
  readonly copies: CheckpointCopies | null;
  /** Since when the job has been in want of copies; `null`: it was not. */
  readonly lateSince: number | null;
  readonly now: number;
  readonly limitMs: number;
  readonly nameOf: (agent: AgentId) => string;
}

/**
 * Whether a job goes on that asks for the copies of a checkpoint. It waits for what is on its way, but for no longer than the limit, counted from when it first asked in vain;
 * then it goes on without, and does not wait again before the copies have caught up. What nobody can take is not waited for.
 */
export function judgeCopies({ copies, lateSince, now, limitMs, nameOf }: CopiesInQuestion): CopiesAnswer {
  if (copies !== null && copies.receivers.length === 0) {
    if (copies.missing === 0 || copies.on.length > 0) return { kind: 'there' };
    return { kind: 'without', reason: 'no other agent can take one' };
  }
  const place = copies === null ? 'not begun' : `on its way to ${copies.receivers.map(nameOf).join(' and ')}`;
  const waitedMs = now - (lateSince ?? now);
  if (waitedMs < limitMs) return { kind: 'coming', reason: `it is ${place}` };
  return { kind: 'without', reason: `after ${Math.round(waitedMs / 1000)} s it is still ${place}` };
}
