import { setTimeout as delay } from 'node:timers/promises';
import {
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
  type DatabaseConnection,
  type DialectAdapter,
  type Driver,
  type SqliteDialectConfig,
} from 'kysely';
import { isConflict } from './database-errors.js';
import type { SqliteDatabaseInTransaction } from './sqlite-driver.js';

/** How long a statement waits for the write lock of another process, and how often it looks. */
const BUSY_MS = 5000;
const LOOK_AGAIN_MS = 10;

/**
 * Kysely's dialect, with two differences. SQLite can roll a change of the schema back, which Kysely does not count on; so migrations are one transaction.
 * And waiting for another process is done here and not by SQLite (`busy_timeout`), which would hold up all of this process meanwhile.
 */
export class FarmSqliteDialect extends SqliteDialect {
  constructor(
    private readonly farmConfig: SqliteDialectConfig & { readonly database: SqliteDatabaseInTransaction },
  ) {
    super(farmConfig);
  }

  override createAdapter(): DialectAdapter {
    return new TransactionalAdapter();
  }

  override createDriver(): Driver {
    return new PatientDriver(this.farmConfig);
  }
}

class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class PatientDriver extends SqliteDriver {
  readonly #database: SqliteDatabaseInTransaction;

  constructor(config: SqliteDialectConfig & { readonly database: SqliteDatabaseInTransaction }) {
    super(config);
    this.#database = config.database;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection();
    return {
      executeQuery: (query) => this.#whenFree(() => connection.executeQuery(query)),
      streamQuery: (query, size) => connection.streamQuery(query, size),
    };
  }

  /** What fails outside of a transaction has changed nothing. Within one, the lock is ours already: see `begin immediate`. */
  async #whenFree<T>(execute: () => Promise<T>): Promise<T> {
    const until = performance.now() + BUSY_MS;
    for (;;) {
      try {
        return await execute();
      } catch (error) {
        if (!isConflict(error) || this.#database.inTransaction || performance.now() > until) throw error;
        await delay(LOOK_AGAIN_MS);
      }
    }
  }
}
