import { setTimeout as delay } from 'node:timers/promises';
import { PostgresAdapter, type Kysely, type Transaction } from 'kysely';
import { CommitGroup } from './commit-group.js';
import { isConflict } from './database-errors.js';
import type { Db } from './farm-database.js';
import type { Schema } from './schema.js';

const ATTEMPTS = 5;
/** Two that met once should not meet again; times the number of the attempt. */
const PAUSE_MS = 10;

/**
 * Runs `work` in one transaction, again from its beginning when another transaction was in its way (at most five times): so `work` does nothing that
 * a rollback does not undo, and uses only `tx`, since on SQLite anything asked of `db` in between waits for ever for the one connection.
 *
 * SQLite lets one transaction in at a time, and what is asked for meanwhile is committed together (CommitGroup). PostgreSQL runs them side by side as
 * READ COMMITTED: each statement sees what is committed by then, and an UPDATE waits for the row and checks its WHERE again. So what must not change meanwhile belongs into the WHERE of the UPDATE (`… where
 * state = 'waiting' returning …`), or is read `for update` where `locksRows`; a plain SELECT and then an UPDATE is a race.
 */
export async function transact<T>(
  db: Kysely<Schema>,
  work: (tx: Transaction<Schema>) => Promise<T>,
): Promise<T> {
  return locksRows(db) ? await patiently(db, work) : await groupOf(db).add(work);
}

const GROUPS = new WeakMap<Kysely<Schema>, CommitGroup>();

function groupOf(db: Kysely<Schema>): CommitGroup {
  const group = GROUPS.get(db) ?? new CommitGroup(async (work) => await patiently(db, work));
  GROUPS.set(db, group);
  return group;
}

async function patiently<T>(db: Kysely<Schema>, work: (tx: Transaction<Schema>) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction().setIsolationLevel('read committed').execute(work);
    } catch (error) {
      if (!isConflict(error) || attempt === ATTEMPTS) throw error;
      await delay(attempt * PAUSE_MS * (1 + Math.random()));
    }
  }
}

/** Whether rows can be locked one by one (`for update`); SQLite has no such words, and its transactions need none. */
export function locksRows(db: Db): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter;
}
