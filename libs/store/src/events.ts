import type { Insertable, Selectable, Transaction } from 'kysely';
import type { AgentId, BuildId, EventType, FarmEvent, JobId } from '#libs/contracts';
import { lastNumber, takeNumbers } from './counters.js';
import type { Db } from './farm-database.js';
import { fromJson, toJson } from './json.js';
import type { EventsTable, Schema } from './schema.js';

/** An event that happens now; ids that are left out are null. */
export type NewEvent = Pick<FarmEvent, 'type'> & Partial<Omit<FarmEvent, 'type' | 'seq' | 'at'>>;

/** SQLite takes 32766 parameters in a statement, PostgreSQL 65535; an event has 8. */
const ROWS_PER_INSERT = 1000;

/**
 * Adds events to the sequence and gives the number of the last one. Call it LAST in the transaction: it locks the counter until the commit, which is what
 * makes the numbers follow the order of commits without holes, and every other transaction with events waits for it meanwhile.
 */
export async function appendEvents(
  tx: Transaction<Schema>,
  now: number,
  events: readonly NewEvent[],
): Promise<number> {
  if (events.length === 0) return lastEventSeq(tx);
  const last = await takeNumbers(tx, 'events', events.length);
  const rows = events.map((event, index) => toRow(event, last - events.length + 1 + index, now));
  for (let from = 0; from < rows.length; from += ROWS_PER_INSERT) {
    await tx
      .insertInto('events')
      .values(rows.slice(from, from + ROWS_PER_INSERT))
      .execute();
  }
  return last;
}

export interface EventQuery {
  /** Only events after this number; 0 for all. */
  readonly after: number;
  readonly build?: BuildId;
  readonly limit: number;
}

/** In order. Fewer than `limit` means that there are no more by now. */
export async function readEvents(db: Db, query: EventQuery): Promise<readonly FarmEvent[]> {
  let select = db.selectFrom('events').selectAll().where('seq', '>', query.after);
  if (query.build !== undefined) select = select.where('build_id', '=', query.build);
  const rows = await select.orderBy('seq').limit(query.limit).execute();
  return rows.map(fromRow);
}

/**
 * Jobs of a build that events after this number are about; `null` where an event is about all of it, and where there are none of before, or not so many: then
 * nothing is known.
 */
export async function jobsWithEvents(
  db: Db,
  build: BuildId,
  after: number,
): Promise<readonly JobId[] | null> {
  const first = await firstEventSeq(db);
  if (first === null || after < first - 1 || after > (await lastEventSeq(db))) return null;
  const rows = await db
    .selectFrom('events')
    .select('job_id')
    .distinct()
    .where('build_id', '=', build)
    .where('seq', '>', after)
    .execute();
  const jobs = rows.flatMap(({ job_id }) => job_id ?? []);
  return jobs.length === rows.length ? jobs : null;
}

/** The newest `limit` of a build that are of these types, in order. */
export async function eventsOfBuild(
  db: Db,
  build: BuildId,
  { types, limit }: { readonly types: readonly EventType[]; readonly limit: number },
): Promise<readonly FarmEvent[]> {
  const rows = await db
    .selectFrom('events')
    .selectAll()
    .where('build_id', '=', build)
    .where('type', 'in', [...types])
    .orderBy('seq', 'desc')
    .limit(limit)
    .execute();
  return rows.map(fromRow).toReversed();
}

/** What became of an agent itself, newest first: its events that are of no build. */
export async function eventsOfAgent(
  db: Db,
  agent: AgentId,
  { before, limit }: { readonly before: number | null; readonly limit: number },
): Promise<readonly FarmEvent[]> {
  // The index is of such events only.
  let select = db
    .selectFrom('events')
    .selectAll()
    .where('agent_id', '=', agent)
    .where('build_id', 'is', null);
  if (before !== null) select = select.where('seq', '<', before);
  const rows = await select.orderBy('seq', 'desc').limit(limit).execute();
  return rows.map(fromRow);
}

/** 0 before the first one. Every event up to it can be read. */
export async function lastEventSeq(db: Db): Promise<number> {
  return lastNumber(db, 'events');
}

/** The smallest number that is still there; `null` when none is. Whoever wants to go on from before it has missed events. */
export async function firstEventSeq(db: Db): Promise<number | null> {
  const row = await db.selectFrom('events').select('seq').orderBy('seq').limit(1).executeTakeFirst();
  return row?.seq ?? null;
}

/**
 * Removes events older than `before` (milliseconds), and says how many: those of builds that have come to rest, except the `build-ended` by which a
 * watcher who comes late learns of it, and those of no build. Events of builds that still run stay, however old.
 */
export async function trimEvents(db: Db, before: number): Promise<number> {
  const running = db
    .selectFrom('builds')
    .select('id')
    .where('state', 'not in', ['succeeded', 'failed', 'cancelled']);
  const { numDeletedRows } = await db
    .deleteFrom('events')
    .where('at', '<', before)
    .where('type', '!=', 'build-ended')
    .where((eb) => eb.or([eb('build_id', 'is', null), eb('build_id', 'not in', running)]))
    .executeTakeFirst();
  return Number(numDeletedRows);
}

function toRow(event: NewEvent, seq: number, at: number): Insertable<EventsTable> {
  return {
    seq,
    at,
    type: event.type,
    build_id: event.build ?? null,
    job_id: event.job ?? null,
    attempt_id: event.attempt ?? null,
    agent_id: event.agent ?? null,
    data: toJson<EventsTable['data']>(event.data ?? {}),
  };
}

function fromRow(row: Selectable<EventsTable>): FarmEvent {
  return {
    seq: row.seq,
    at: row.at,
    type: row.type,
    build: row.build_id,
    job: row.job_id,
    attempt: row.attempt_id,
    agent: row.agent_id,
    data: fromJson<EventsTable['data']>(row.data),
  };
}
