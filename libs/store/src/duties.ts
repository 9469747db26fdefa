import type { Transaction } from 'kysely';
import type { Db } from './farm-database.js';
import type { Schema } from './schema.js';
import { locksRows } from './transact.js';

/**
 * Makes the duty `holder`'s until `now + ttlMs`, when it is free, has expired, or is that one's already; says whether it is. The times are those of
 * whoever asks: coordinators on several hosts need clocks that differ by much less than `ttlMs`, or the duty wanders. What must not be done by two is
 * guarded by `holdsDuty`, which needs no clocks.
 */
export async function takeDuty(
  db: Db,
  name: string,
  holder: string,
  now: number,
  ttlMs: number,
): Promise<boolean> {
  const expiresAt = now + ttlMs;
  const row = await db
    .insertInto('duties')
    .values({ name, holder, expires_at: expiresAt })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet({ holder, expires_at: expiresAt })
        .where((eb) => eb.or([eb('duties.holder', '=', holder), eb('duties.expires_at', '<=', now)])),
    )
    .returning('holder')
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Whether the duty is `holder`'s, to be asked first in the transaction that does what only its holder may do: until that transaction has ended, nobody
 * takes the duty over. So whatever a former holder still does fails here, or was done before the next one began.
 */
export async function holdsDuty(
  tx: Transaction<Schema>,
  name: string,
  holder: string,
  now: number,
): Promise<boolean> {
  let query = tx.selectFrom('duties').select(['holder', 'expires_at']).where('name', '=', name);
  if (locksRows(tx)) query = query.forUpdate();
  const row = await query.executeTakeFirst();
  return row !== undefined && row.holder === holder && row.expires_at > now;
}

/** Gives it up when it is `holder`'s, so that the next one need not wait for its end. */
export async function releaseDuty(db: Db, name: string, holder: string): Promise<void> {
  await db.deleteFrom('duties').where('name', '=', name).where('holder', '=', holder).execute();
}

export interface DutyHolder {
  readonly holder: string;
  readonly expiresAt: number;
}

/** Who had it last, even when that has expired; `null` when it is free. */
export async function dutyHolder(db: Db, name: string): Promise<DutyHolder | null> {
  const row = await db.selectFrom('duties').selectAll().where('name', '=', name).executeTakeFirst();
  return row === undefined ? null : { holder: row.holder, expiresAt: row.expires_at };
}
