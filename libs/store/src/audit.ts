import { createHash } from 'node:crypto';
import type { Selectable, Transaction } from 'kysely';
import type { AuditEntry, TokenId } from '#libs/contracts';
import { lastNumber, takeNumbers } from './counters.js';
import type { Db } from './farm-database.js';
import { fromJson, toJson } from './json.js';
import type { AuditTable, Schema } from './schema.js';

/** Who did what to what, and why. */
export interface NewAudit {
  readonly user: string;
  readonly tokenId: TokenId | null;
  /** E.g. `build.cancel`. */
  readonly action: string;
  readonly target: string;
  readonly why: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** In front of the first entry. */
const BEGINNING = '';
const ROWS_PER_READ = 1000;

/** Adds an entry to the chain, in the transaction that does what it tells of; in front of `appendEvents`, and after all else. */
export async function appendAudit(
  tx: Transaction<Schema>,
  now: number,
  entry: NewAudit,
): Promise<AuditEntry> {
  // From here to the commit nobody else adds one, so the one before it is the last.
  const seq = await takeNumbers(tx, 'audit', 1);
  const before = await tx
    .selectFrom('audit')
    .select('hash')
    .where('seq', '=', seq - 1)
    .executeTakeFirst();
  const row = {
    seq,
    at: now,
    user: entry.user,
    token_id: entry.tokenId,
    action: entry.action,
    target: entry.target,
    why: entry.why,
    data: toJson<AuditTable['data']>(entry.data ?? {}),
  };
  const hash = chainHash(before?.hash ?? BEGINNING, row);
  await tx
    .insertInto('audit')
    .values({ ...row, hash })
    .execute();
  return parseAudit({ ...row, hash });
}

export interface AuditQuery {
  /** Only entries in front of this one. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Newest first. */
export async function readAudit(db: Db, query: AuditQuery): Promise<readonly AuditEntry[]> {
  let select = db.selectFrom('audit').selectAll();
  if (query.before !== undefined) select = select.where('seq', '<', query.before);
  const rows = await select.orderBy('seq', 'desc').limit(query.limit).execute();
  return rows.map(parseAudit);
}

/**
 * Reads the whole chain and gives the number of the first entry that is missing or not as it was written; `null` when all are. Whoever can write the
 * database can also write a new chain from some entry on: to notice that, keep a hash elsewhere from time to time.
 */
export async function verifyAudit(db: Db): Promise<number | null> {
  const last = await lastNumber(db, 'audit');
  let hash = BEGINNING;
  let seq = 1;
  while (seq <= last) {
    const rows = await rowsFrom(db, seq, Math.min(last, seq + ROWS_PER_READ - 1));
    if (rows.length === 0) return seq;
    for (const row of rows) {
      if (row.seq !== seq || row.hash !== chainHash(hash, row)) return seq;
      hash = row.hash;
      seq += 1;
    }
  }
  return null;
}

function rowsFrom(db: Db, first: number, last: number): Promise<Selectable<AuditTable>[]> {
  return db
    .selectFrom('audit')
    .selectAll()
    .where('seq', '>=', first)
    .where('seq', '<=', last)
    .orderBy('seq')
    .execute();
}

/** SHA-256, hex, of a JSON list: the hash before, and the entry as it lies in the database. */
function chainHash(before: string, row: Omit<Selectable<AuditTable>, 'hash'>): string {
  const fields = [before, row.seq, row.at, row.user, row.token_id, row.action, row.target, row.why, row.data];
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex');
}

function parseAudit(row: Selectable<AuditTable>): AuditEntry {
  return {
    seq: row.seq,
    at: row.at,
    user: row.user,
    tokenId: row.token_id,
    action: row.action,
    target: row.target,
    why: row.why,
    data: fromJson<AuditTable['data']>(row.data),
    hash: row.hash,
  };
}
