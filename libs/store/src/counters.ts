import type { Transaction } from 'kysely';
import type { Db } from './farm-database.js';
import type { Schema } from './schema.js';

/**
 * The next `count` numbers of a sequence, of which the last is given. The first number of all is 1. Nobody else gets one before the transaction has
 * ended, so that the numbers follow the order of commits, and a rollback leaves no hole; and everybody who wants one waits. Where a transaction takes
 * several, `audit` comes before `events`: two that took them in different orders would wait for each other.
 */
export async function takeNumbers(
  tx: Transaction<Schema>,
  name: 'audit' | 'events',
  count: number,
): Promise<number> {
  const { value } = await tx
    .insertInto('counters')
    .values({ name, value: count })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet((eb) => ({ value: eb('counters.value', '+', count) })),
    )
    .returning('value')
    .executeTakeFirstOrThrow();
  return value;
}

/** The last number given out and committed; 0 before the first. */
export async function lastNumber(db: Db, name: 'audit' | 'events'): Promise<number> {
  const row = await db.selectFrom('counters').select('value').where('name', '=', name).executeTakeFirst();
  return row?.value ?? 0;
}
