import type { AgentId, AttemptId } from '#libs/contracts';
import type { Db } from './farm-database.js';

/** Messages not yet given to BullMQ, oldest first. */
export async function unsentMessages(
  db: Db,
  limit: number,
): Promise<readonly { attempt: AttemptId; agent: AgentId; epoch: number }[]> {
  return await db
    .selectFrom('outbox')
    .select(['attempt_id as attempt', 'agent_id as agent', 'epoch'])
    .where('sent_at', 'is', null)
    .orderBy('created_at')
    .limit(limit)
    .execute();
}

export async function markSent(db: Db, attempts: readonly AttemptId[], now: number): Promise<void> {
  if (attempts.length === 0) return;
  await db
    .updateTable('outbox')
    .set({ sent_at: now })
    .where('attempt_id', 'in', [...attempts])
    .execute();
}

/** Messages of attempts that an agent has not fetched although they were sent before `sentBefore`: Redis may have lost them. */
export async function resendUnfetched(db: Db, sentBefore: number): Promise<number> {
  const result = await db
    .updateTable('outbox')
    .set({ sent_at: null })
    .where('sent_at', '<', sentBefore)
    .where('attempt_id', 'in', (select) =>
      select.selectFrom('attempts').select('id').where('state', '=', 'assigned'),
    )
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}

export async function removeMessage(tx: Db, attempt: AttemptId): Promise<void> {
  await tx.deleteFrom('outbox').where('attempt_id', '=', attempt).execute();
}
