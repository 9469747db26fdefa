import type { AttemptId, HeartbeatResponse, Wish } from '#libs/contracts';

/** An attempt whose lease this agent believes to hold. */
export interface Lease {
  readonly attempt: AttemptId;
  /** By the monotonic clock: when the request was sent whose answer renewed it. So the agent gives up before the coordinator does. */
  readonly renewedAtMs: number;
}

/**
 * When a lease began that was asked for at `sentAtMs`, and given after the coordinator had let the call wait `waitedMs`: no later than the coordinator counts from,
 * however long the answer was on its way.
 */
export function grantedAtMs(sentAtMs: number, waitedMs: number, receivedAtMs: number): number {
  return Math.min(receivedAtMs, sentAtMs + waitedMs);
}

export type LeaseNews =
  | {
      readonly kind: 'renewed';
      readonly wish: Wish;
      readonly pauseBefore: string | null;
      readonly handOver: string | null;
    }
  /** It is another's, or over. */
  | { readonly kind: 'taken' }
  /** The answer says nothing of it: nothing is renewed. */
  | { readonly kind: 'unanswered' };

/** Leases that have run out by the agent's own clock: their steps must end now. */
export function runOut(leases: Iterable<Lease>, nowMs: number, selfStopMs: number): readonly AttemptId[] {
  return [...leases]
    .filter(({ renewedAtMs }) => nowMs - renewedAtMs >= selfStopMs)
    .map(({ attempt }) => attempt);
}

/** What an answer says of an attempt that the heartbeat named. */
export function newsOf(attempt: AttemptId, { leases }: Pick<HeartbeatResponse, 'leases'>): LeaseNews {
  const lease = leases.find((each) => each.attempt === attempt);
  if (lease === undefined) return { kind: 'unanswered' };
  if (!lease.granted) return { kind: 'taken' };
  const { wish, pauseBefore, handOver = null } = lease;
  return { kind: 'renewed', wish, pauseBefore, handOver };
}

const JITTER = 0.2;

/** A thousand agents that saw the same coordinator start should not beat as one. @param random in [0, 1) */
export function nextHeartbeatMs(heartbeatMs: number, random: number): number {
  return Math.round(heartbeatMs * (1 - JITTER + 2 * JITTER * random));
}

/** Shorter than the lease, so that a connection that hangs does not cost it. */
export function heartbeatTimeoutMs(heartbeatMs: number, selfStopMs: number): number {
  return Math.max(50, Math.min(Math.floor(selfStopMs / 3), Math.max(heartbeatMs, 5_000)));
}
