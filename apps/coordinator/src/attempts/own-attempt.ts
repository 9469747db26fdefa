import type { Kysely, Transaction } from 'kysely';
import { FarmError, type AgentId, type AttemptId } from '#libs/contracts';
import { findAttempt, hashSecret, type AttemptRow, type Schema } from '#libs/store';

/** Who says that an attempt is his, and by what. */
export interface AttemptClaim {
  readonly agent: AgentId;
  readonly attempt: AttemptId;
  readonly epoch: number;
  readonly token: string;
}

/**
 * The attempt, when it runs on this agent under this epoch and token. Throws STALE_EPOCH when it is over or another epoch's, NOT_FOUND and FORBIDDEN
 * when it never was the agent's.
 */
export async function requireOwnAttempt(
  db: Kysely<Schema> | Transaction<Schema>,
  claim: AttemptClaim,
): Promise<AttemptRow> {
  const attempt = await requireKnownAttempt(db, claim);
  if (attempt.state === 'running') return attempt;
  throw staleEpoch(attempt.id);
}

/** The same, for what may still come when the attempt is over: the rest of its log. */
export async function requireKnownAttempt(
  db: Kysely<Schema> | Transaction<Schema>,
  claim: AttemptClaim,
): Promise<AttemptRow> {
  const attempt = await findAttempt(db, claim.attempt);
  if (attempt === null) throw new FarmError('NOT_FOUND', `there is no attempt ${claim.attempt}`);
  if (attempt.agent_id !== claim.agent || attempt.token_hash !== hashSecret(claim.token)) {
    throw new FarmError('FORBIDDEN', `attempt ${claim.attempt} is not this agent's`);
  }
  if (attempt.epoch !== claim.epoch) throw staleEpoch(claim.attempt);
  return attempt;
}

export function staleEpoch(attempt: AttemptId): FarmError {
  return new FarmError(
    'STALE_EPOCH',
    `attempt ${attempt} is over, or another agent's: nothing more of it counts`,
  );
}
