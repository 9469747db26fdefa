import { findBase, findResumableInJob, missingCheckpoints } from '#libs/plan';
import { grantedAtMs, newsOf, runOut } from '../../apps/agent/src/leases/lease-decisions.js';
import { afterAttempt } from '../../apps/coordinator/src/decide/after-attempt.js';
import { expiredAttempts } from '../../apps/coordinator/src/decide/lease-policy.js';
import { placeJobs } from '../../apps/coordinator/src/decide/place-jobs.js';
import { planResume } from '../../apps/coordinator/src/decide/plan-resume.js';

/** As the defaults of the coordinator's config. */
export const LEASE_MS = 75_000;
export const HEARTBEAT_MS = 10_000;
const SELF_STOP_MS = LEASE_MS * 0.6;

/**
 * The rules that keep the farm honest, each of which a test can break alone to see that the simulation notices. The functions are the product's own; the flags
 * stand for conditions that the product has in SQL.
 */
export const RULES = {
  afterAttempt,
  expiredAttempts,
  findBase,
  findResumableInJob,
  grantedAtMs,
  missingCheckpoints,
  newsOf,
  placeJobs,
  planResume,
  runOut,
  selfStopMs: SELF_STOP_MS,
  /** Reports count only while their attempt runs. */
  refusesStale: true,
  /** A report counts once. */
  refusesRepeated: true,
  /** The record says whether a message still holds. */
  claimsOnce: true,
  /** A hello that comes again is older than what the process has told since. */
  heedsHelloOnce: true,
  /** A heartbeat that was long on its way does not say that an assignment never arrived. */
  heedsEarlierHeartbeat: true,
};
export type Rules = typeof RULES;
