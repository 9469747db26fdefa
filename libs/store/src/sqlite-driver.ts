import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';
import type { SqliteDatabase, SqliteStatement } from 'kysely';
import type * as Wasm from 'node-sqlite3-wasm';
import { StoreError } from './store-error.js';

/** A driver that is loaded: `open` opens a file, which it makes when it is missing. */
export interface SqliteDriver {
  readonly kind: 'native' | 'wasm';
  /** For people. */
  readonly name: string;
  open(path: string): SqliteDatabaseInTransaction;
}

export interface SqliteDatabaseInTransaction extends SqliteDatabase {
  readonly inTransaction: boolean;
}

/** `require`; a parameter so that a test can be without a package. */
type Load = (name: string) => unknown;

/** Both are loaded only when asked for: the native one may be missing, or be built for another Node. Throws `DATABASE_DRIVER_MISSING`. */
export function loadSqliteDriver(
  wanted: 'native' | 'wasm' | 'auto',
  load: Load = createRequire(import.meta.url),
): SqliteDriver {
  if (wanted === 'wasm') return loadWasm(load, 'node-sqlite3-wasm');
  try {
    return loadNative(load);
  } catch (error) {
    const why = firstLine(error);
    if (wanted === 'auto')
      return loadWasm(load, `node-sqlite3-wasm, since better-sqlite3 cannot be used: ${why}`);
    throw new StoreError(
      'DATABASE_DRIVER_MISSING',
      `better-sqlite3 cannot be used: ${why}`,
      'run "npm rebuild better-sqlite3" (it needs g++, make and python3), or choose the driver "wasm"',
      { cause: error },
    );
  }
}

function loadNative(load: Load): SqliteDriver {
  const Database = load('better-sqlite3') as typeof BetterSqlite3;
  // The compiled part is loaded only now.
  new Database(':memory:').close();
  return {
    kind: 'native',
    name: 'better-sqlite3',
    open: (path) => forKysely(new PreparedDatabase(new Database(path, { timeout: 0 }))),
  };
}

function loadWasm(load: Load, name: string): SqliteDriver {
  const { Database } = load('node-sqlite3-wasm') as typeof Wasm;
  return { kind: 'wasm', name, open: (path) => forKysely(new WasmDatabase(new Database(path))) };
}

interface OpenDatabase extends Omit<SqliteDatabaseInTransaction, 'prepare'> {
  prepare(sql: string): unknown;
}

/**
 * What Kysely's driver gets. It begins transactions with a plain `begin`, which takes no lock before the first write, and then fails where another process
 * wrote since the first read: we take the write lock at once. And where SQLite has rolled back by itself (disk full), a second rollback would hide why.
 */
function forKysely(database: OpenDatabase): SqliteDatabaseInTransaction {
  return {
    get inTransaction() {
      return database.inTransaction;
    },
    close: () => database.close(),
    prepare(sql) {
      if (sql === 'begin') return database.prepare('begin immediate') as SqliteStatement;
      if (sql === 'rollback' && !database.inTransaction) return NOTHING;
      return database.prepare(sql) as SqliteStatement;
    },
  };
}

const NOTHING: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
};

/** Statements are few, and to read one takes SQLite as long as to run it. Those with lists of many lengths push the oldest out. */
const MOST_PREPARED = 500;

/** better-sqlite3 that keeps its statements. */
class PreparedDatabase implements OpenDatabase {
  /** The one used last is last. */
  readonly #statements = new Map<string, BetterSqlite3.Statement>();

  constructor(private readonly database: BetterSqlite3.Database) {}

  get inTransaction(): boolean {
    return this.database.inTransaction;
  }

  close(): void {
    this.#statements.clear();
    this.database.close();
  }

  prepare(sql: string): BetterSqlite3.Statement {
    const kept = this.#statements.get(sql);
    this.#statements.delete(sql);
    // One that is still being iterated cannot be used a second time.
    const statement = kept === undefined || kept.busy ? this.database.prepare(sql) : kept;
    this.#statements.set(sql, statement);
    const oldest = this.#statements.keys().next().value;
    if (this.#statements.size > MOST_PREPARED && oldest !== undefined) this.#statements.delete(oldest);
    return statement;
  }
}

/** node-sqlite3-wasm as Kysely wants it. */
class WasmDatabase implements OpenDatabase {
  constructor(private readonly database: Wasm.Database) {}

  get inTransaction(): boolean {
    return this.database.inTransaction;
  }

  close(): void {
    this.database.close();
  }

  prepare(sql: string): SqliteStatement {
    const statement = this.database.prepare(sql);
    return {
      // The library does not say whether a statement gives rows. All of ours that do begin with one of these, or return what they wrote.
      reader: /^\s*(select|with|values|pragma|explain)\b|\breturning\b/i.test(sql),
      all: (values) => finalizing(statement, () => statement.all(values as Wasm.JSValue[])),
      run: (values) => finalizing(statement, () => statement.run(values as Wasm.JSValue[])),
      *iterate(values) {
        try {
          yield* statement.iterate(values as Wasm.JSValue[]);
        } finally {
          statement.finalize();
        }
      },
    };
  }
}

/** A statement's memory is outside of what the garbage collector sees; Kysely uses each once. */
function finalizing<T>(statement: Wasm.Statement, use: () => T): T {
  try {
    return use();
  } finally {
    statement.finalize();
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
