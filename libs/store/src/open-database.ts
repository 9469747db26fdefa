import type { DatabaseConfig, FarmDatabase } from './farm-database.js';
import { openPostgres } from './postgres-database.js';
import { openSqlite } from './sqlite-database.js';

export interface OpenOptions {
  /** Told of connections to PostgreSQL that broke while nobody used them: for the log. The next query makes a new one. */
  readonly onLost?: (error: Error) => void;
}

/** Opens the database of record as it is; `migrate` comes next. Throws StoreError. */
export async function openDatabase(config: DatabaseConfig, options: OpenOptions = {}): Promise<FarmDatabase> {
  switch (config.kind) {
    case 'sqlite':
      return openSqlite(config);
    case 'postgres':
      return openPostgres(config, options.onLost ?? (() => undefined));
  }
}
