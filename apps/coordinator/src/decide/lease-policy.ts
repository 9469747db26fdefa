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

/** How long a coordinator has been watching its agents, as of its last look at both clocks. */
export interface Watch {
  /** When it got the duty to. */
  readonly dutySince: number;
  /** Since when no lease can have run out unseen. */
  readonly since: number;
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** By how much of a lease the wall clock may go wrong between two looks; those who set it slowly stay far below. */
const MOST_JUMP_SHARE = 1 / 20;

/**
 * The watch as of now. Leases are kept by the wall clock, since they outlive the process. Where that was set, ahead or back, they say nothing for the time being: the coordinator
 * begins anew to watch, as after its start, and by the time that it has watched for a lease whoever is there has renewed his by the clock as it is now. So is a host that slept,
 * whose monotonic clock knows nothing of that.
 *
 * @param before `null`: this is the first look
 */
export function watchOn(
  before: Watch | null,
  { dutySince, wallMs, monotonicMs }: Omit<Watch, 'since'>,
  leaseMs: number,
): Watch {
  const look = { dutySince, wallMs, monotonicMs };
  if (before?.dutySince !== dutySince) return { ...look, since: dutySince };
  const jumpedMs = wallMs - before.wallMs - (monotonicMs - before.monotonicMs);
  return { ...look, since: Math.abs(jumpedMs) > leaseMs * MOST_JUMP_SHARE ? wallMs : before.since };
}
