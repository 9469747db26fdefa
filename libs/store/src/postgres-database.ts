import { Kysely, PostgresDialect, sql, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import type { FarmDatabase, PostgresConfig } from './farm-database.js';
import type { Schema } from './schema.js';
import { StoreError } from './store-error.js';

/** Of a new connection, and of waiting for a free one. */
const CONNECT_TIMEOUT_MS = 5000;
/** No statement of ours should take seconds: what takes this long is stuck behind a lock, and holds up a connection. The server's clock. */
const STATEMENT_TIMEOUT_MS = 30_000;
/** By our own clock, for a server that vanished without a word. Longer than the server's, which says more. */
const ANSWER_TIMEOUT_MS = 40_000;
/** A coordinator that hangs within a transaction must not hold its locks for ever. */
const IDLE_TRANSACTION_TIMEOUT_MS = 60_000;
const BIGINT_OID = 20;

/** Throws StoreError `DATABASE_UNREACHABLE`. `onLost` is told of connections that broke while nobody used them; the next query makes a new one. */
export async function openPostgres(
  config: PostgresConfig,
  onLost: (error: Error) => void,
): Promise<FarmDatabase> {
  const place = placeOf(config.url);
  const db = openPool(config.url, { max: config.poolSize ?? 10, ...TIME_LIMITS }, onLost);
  try {
    const { rows } = await sql<{ version: string }>`
      select current_setting('server_version') as version`.execute(db);
    const version = rows[0]?.version.split(' ')[0] ?? 'of unknown version';
    return {
      db,
      kind: 'postgres',
      description: `PostgreSQL ${version} at ${place}`,
      ping: async () => {
        await sql`select 1`.execute(db);
      },
      withoutTimeLimits: (use) => withoutTimeLimits(config.url, onLost, use),
      close: () => db.destroy(),
    };
  } catch (error) {
    await db.destroy();
    throw unreachable(place, error);
  }
}

const TIME_LIMITS = {
  statement_timeout: STATEMENT_TIMEOUT_MS,
  query_timeout: ANSWER_TIMEOUT_MS,
  idle_in_transaction_session_timeout: IDLE_TRANSACTION_TIMEOUT_MS,
} as const;

async function withoutTimeLimits<T>(
  url: string,
  onLost: (error: Error) => void,
  use: (db: Kysely<Schema>) => Promise<T>,
): Promise<T> {
  const db = openPool(url, { max: 1 }, onLost);
  try {
    return await use(db);
  } finally {
    await db.destroy();
  }
}

/** Connects when it is first asked something. */
export function openPool(url: string, limits: pg.PoolConfig, onLost: (error: Error) => void): Kysely<Schema> {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'distrofarm',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    types: { getTypeParser: numbersForBigints },
    ...limits,
  });
  pool.on('error', onLost);
  // A connection that breaks while a transaction thinks would end the process: nobody else listens then. Its next query fails and says so.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool: endingSilentConnections(pool) }) });
}

/** All our bigints are times, sizes and sequence numbers: far below 2^53. */
function numbersForBigints(oid: number, format: 'text' | 'binary' = 'text'): Parser {
  return oid === BIGINT_OID && format === 'text' ? Number : parserOf(oid, format);
}
type Parser = (value: string) => unknown;
const parserOf = pg.types.getTypeParser as (oid: number, format: 'text' | 'binary') => Parser;

/** pg gives a connection that did not answer in time back to the pool, where the next user waits for the same answer: end it. */
function endingSilentConnections(pool: pg.Pool): PostgresPool {
  return {
    connect: async () => endingWhenSilent(await pool.connect()),
    end: () => pool.end(),
  };
}

function endingWhenSilent(client: pg.PoolClient): PostgresPoolClient {
  const query = async (text: string, values: readonly unknown[]): Promise<pg.QueryResult> => {
    try {
      return await client.query(text, [...values]);
    } catch (error) {
      if (error instanceof Error && error.message === 'Query read timeout') void endNow(client);
      throw error;
    }
  };
  return { query: query as unknown as PostgresPoolClient['query'], release: () => client.release() };
}

/** With a query under way, pg closes the socket instead of saying goodbye. The pool drops a client that is ended. */
async function endNow(client: pg.PoolClient): Promise<void> {
  await (client as unknown as pg.Client).end();
}

/** Without the password. */
function placeOf(url: string): string {
  try {
    const { user, host, port, database } = new pg.Client({ connectionString: url });
    return `${user ?? ''}@${host}${host.startsWith('/') ? '' : `:${port}`}/${database ?? ''}`;
  } catch (error) {
    throw new StoreError(
      'DATABASE_UNREACHABLE',
      'the database URL cannot be read',
      'write it as postgres://user:password@host:port/database, special characters of the password as %XX',
      { cause: error },
    );
  }
}

function unreachable(place: string, error: unknown): StoreError {
  const why = error instanceof Error ? error.message : String(error);
  return new StoreError(
    'DATABASE_UNREACHABLE',
    `PostgreSQL at ${place} cannot be used: ${why}`,
    'check that it runs, and that user, password and database are right',
    { cause: error },
  );
}
