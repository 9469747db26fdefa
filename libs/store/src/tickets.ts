import type { AgentId, RedeemedTicket } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { fromJson, toJson } from './json.js';
import type { TicketsTable } from './schema.js';

/** Also forgets those that nobody can use any more. */
export async function insertTicket(
  db: Db,
  ticket: {
    readonly hash: string;
    readonly source: AgentId;
    readonly transfer: RedeemedTicket;
    readonly expiresAt: number;
  },
  now: number,
): Promise<void> {
  await db.deleteFrom('tickets').where('expires_at', '<', now).execute();
  await db
    .insertInto('tickets')
    .values({
      hash: ticket.hash,
      source_id: ticket.source,
      transfer: toJson<TicketsTable['transfer']>(ticket.transfer),
      expires_at: ticket.expiresAt,
      used_at: null,
    })
    .execute();
}

/** What the ticket is for, once. `null`: it is used, over, another source's, or none. */
export async function useTicket(
  db: Db,
  hash: string,
  source: AgentId,
  now: number,
): Promise<RedeemedTicket | null> {
  const row = await db
    .updateTable('tickets')
    .set({ used_at: now })
    .where('hash', '=', hash)
    .where('source_id', '=', source)
    .where('used_at', 'is', null)
    .where('expires_at', '>=', now)
    .returning('transfer')
    .executeTakeFirst();
  return row === undefined ? null : fromJson<TicketsTable['transfer']>(row.transfer);
}
