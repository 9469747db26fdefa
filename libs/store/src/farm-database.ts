import type { Kysely, Transaction } from 'kysely';
import type { Schema } from './schema.js';

/** What the functions of this lib take: the database, or the transaction that their work belongs to. */
export type Db = Kysely<Schema> | Transaction<Schema>;

export type DatabaseConfig = SqliteConfig | PostgresConfig;
export interface SqliteConfig {
  readonly kind: 'sqlite';
  /** The file; it is made with mode 0600 where it is missing, its folder must be there. */
  readonly path: string;
  /** `auto` (default): better-sqlite3 where it is usable, else node-sqlite3-wasm. */
  readonly driver?: 'native' | 'wasm' | 'auto';
}
export interface PostgresConfig {
  readonly kind: 'postgres';
  /** `postgres://user:password@host:port/database`; `?host=/folder` for a socket. */
  readonly url: string;
  /** Most connections at a time; 10 by default. */
  readonly poolSize?: number;
}

export interface FarmDatabase {
  readonly db: Kysely<Schema>;
  readonly kind: DatabaseConfig['kind'];
  /** For people, without a password: program, version, driver, place, and whether several coordinators can share it. */
  readonly description: string;
  /** Asks something that only a working database answers. Throws what `isDatabaseUnavailable` recognises. */
  ping(): Promise<void>;
  /** A connection whose statements may take as long as they like: for changes of the schema. */
  withoutTimeLimits<T>(use: (db: Kysely<Schema>) => Promise<T>): Promise<T>;
  /** Waits for what is under way, and gives the database up. Once. */
  close(): Promise<void>;
}
