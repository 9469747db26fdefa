import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe } from '@jest/globals';
import pg from 'pg';
import type { DatabaseConfig, FarmDatabase } from './farm-database.js';
import { migrate } from './migrate.js';
import { openDatabase } from './open-database.js';
import { startPostgres, type PostgresServer } from './testing-postgres.js';

export { startPostgres, type PostgresServer } from './testing-postgres.js';

/** What a spec may want to know of the database it runs on. */
export interface Backend {
  readonly kind: 'native' | 'wasm' | 'postgres';
  /** A new place without a database in it. */
  place(): Promise<DatabaseConfig>;
  /** Opens what is at a place, as it is. Closed after the test, unless the test closes it. */
  open(config: DatabaseConfig): Promise<FarmDatabase>;
  /** PostgreSQL only. */
  server(): PostgresServer;
}

/**
 * For specs: the same tests on all databases that the farm can have. `open` gives a new database each time, migrated and empty, closed and removed after
 * the test. Needs PostgreSQL's server programs.
 */
export function describeEachDatabase(
  name: string,
  tests: (open: () => Promise<FarmDatabase>, backend: Backend) => void,
): void {
  for (const driver of ['native', 'wasm'] as const) {
    describe(`${name}, ${driver === 'native' ? 'better-sqlite3' : 'node-sqlite3-wasm'}`, () => {
      const folders: string[] = [];
      afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
      testsOn(driver, tests, () => {
        const folder = mkdtempSync(join(tmpdir(), 'distrofarm-sqlite-'));
        folders.push(folder);
        return Promise.resolve({ kind: 'sqlite', path: join(folder, 'farm.db'), driver });
      });
    });
  }
  describe(`${name}, PostgreSQL`, () => {
    let server: PostgresServer | null = null;
    let databases = 0;
    beforeAll(async () => {
      server = await startPostgres();
    }, 60_000);
    afterAll(() => server?.stop());
    const running = () => {
      if (server === null) throw new Error('PostgreSQL does not run outside of tests');
      return server;
    };
    const place = async (): Promise<DatabaseConfig> => {
      const name = `farm_${(databases += 1)}`;
      await createDatabase(running(), name);
      return { kind: 'postgres', url: running().urlOf(name) };
    };
    testsOn('postgres', tests, place, running);
  });
}

function testsOn(
  kind: Backend['kind'],
  tests: (open: () => Promise<FarmDatabase>, backend: Backend) => void,
  place: Backend['place'],
  server: Backend['server'] = () => {
    throw new Error('only PostgreSQL has a server');
  },
): void {
  const opened = new Set<FarmDatabase>();
  afterEach(async () => {
    await Promise.all([...opened].map((database) => database.close()));
    opened.clear();
  });
  const open = async (config: DatabaseConfig) => {
    const database = closedOnce(await openDatabase(config));
    opened.add(database);
    return database;
  };
  const openMigrated = async () => {
    const database = await open(await place());
    await migrate(database);
    return database;
  };
  tests(openMigrated, { kind, place, open, server });
}

/** So that a test may close what is closed after it anyhow. */
function closedOnce(database: FarmDatabase): FarmDatabase {
  let closed: Promise<void> | null = null;
  return { ...database, close: () => (closed ??= database.close()) };
}

async function createDatabase(server: PostgresServer, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
}
