import { chmodSync, closeSync, existsSync, openSync, rmdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Kysely, sql } from 'kysely';
import type { FarmDatabase, SqliteConfig } from './farm-database.js';
import type { Schema } from './schema.js';
import { FarmSqliteDialect } from './sqlite-dialect.js';
import { loadSqliteDriver, type SqliteDriver } from './sqlite-driver.js';
import { lockSqliteFile } from './sqlite-lock.js';
import { StoreError } from './store-error.js';

/** Throws StoreError; nothing is left open then. */
export async function openSqlite(config: SqliteConfig): Promise<FarmDatabase> {
  const path = resolve(config.path);
  checkFolder(path);
  const driver = loadSqliteDriver(config.driver ?? 'auto');
  const release = lockSqliteFile(path, driver.kind === 'wasm' ? 'exclusive' : 'shared');
  try {
    return await open(path, driver, release);
  } catch (error) {
    release();
    if (error instanceof StoreError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new StoreError('DATABASE_UNREADABLE', `cannot open the database "${path}": ${why}`, null, {
      cause: error,
    });
  }
}

async function open(path: string, driver: SqliteDriver, release: () => void): Promise<FarmDatabase> {
  makeFile(path);
  if (driver.kind === 'wasm') removeStaleLock(path);
  const db = new Kysely<Schema>({ dialect: new FarmSqliteDialect({ database: driver.open(path) }) });
  try {
    for (const pragma of pragmas(driver)) await sql.raw(`pragma ${pragma}`).execute(db);
    const version = await sqliteVersion(db);
    protectWal(path);
    return {
      db,
      kind: 'sqlite',
      description: `SQLite ${version} (${driver.name}) at ${path}${driver.kind === 'wasm' ? '; several coordinators cannot share it' : ''}`,
      ping: async () => {
        await sqliteVersion(db);
      },
      withoutTimeLimits: (use) => use(db),
      close: async () => {
        await db.destroy();
        release();
      },
    };
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

function checkFolder(path: string): void {
  const folder = dirname(path);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new StoreError(
    'DATABASE_FOLDER_MISSING',
    `the folder "${folder}" of the database is not there`,
    `make it, for the coordinator's user only: install -d -m 700 "${folder}"`,
  );
}

/** Before SQLite does: it would make the file readable for everyone, and gives its journals the mode of the file. */
function makeFile(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}

/** node-sqlite3-wasm gives all its files the process's mode. */
function protectWal(path: string): void {
  if (existsSync(`${path}-wal`)) chmodSync(`${path}-wal`, 0o600);
}

/** node-sqlite3-wasm locks by a folder, which a killed process leaves behind. Whoever holds our own lock knows that it is nobody's. */
function removeStaleLock(path: string): void {
  if (existsSync(`${path}.lock`)) rmdirSync(`${path}.lock`);
}

/** The WebAssembly build has no memory that processes share, so its WAL works only for one that has the file for itself. */
function pragmas(driver: SqliteDriver): readonly string[] {
  return [
    ...(driver.kind === 'wasm' ? ['locking_mode = exclusive'] : []),
    'journal_mode = wal',
    'synchronous = full',
    'foreign_keys = on',
    'temp_store = memory',
  ];
}

async function sqliteVersion(db: Kysely<Schema>): Promise<string> {
  // Reads the file, which sqlite_version() alone would not.
  const { rows } = await sql<{ version: string }>`
    select sqlite_version() as version, (select count(*) from sqlite_master) as tables`.execute(db);
  return rows[0]?.version ?? 'of unknown version';
}
