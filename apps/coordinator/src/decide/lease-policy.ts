import type { AttemptId } from '#libs/contracts';

/** An attempt that has not ended. */
export interface LeasedAttempt {
  readonly id: AttemptId;
  /** Renewed by each heartbeat that names the attempt; at first, until when the agent must have fetched it. `null`: it has none to lose. */
  readonly leaseUntil: number | null;
}

/**
 * The attempts that are to be taken from their agents, since nobody renewed their leases in time.
 *
 * Nobody's lease expires before the coordinator has been up for a whole lease: while it was down no agent could renew, and all of them are busy
 * doing so now. A clock that was set back makes nobody expire either.
 *
 * @param upSince when this coordinator began to watch without a break
 * @param leaseMs longer than the agents' `selfStopMs`: by then an agent that is cut off has ended its steps
 */
export function expiredAttempts<A extends LeasedAttempt>(
  attempts: readonly A[],
  now: number,
  upSince: number,
  leaseMs: number,
): readonly A[] {
  if (now - upSince < leaseMs) return [];
  return attempts.filter(({ leaseUntil }) => leaseUntil !== null && leaseUntil <= now);
}
