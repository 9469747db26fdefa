import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { StoreError } from './store-error.js';

/** Gives the lock up. */
export type Release = () => void;

/**
 * The kernel's lock (flock(2)) on `<database>.in-use`. The native driver shares it, since SQLite's own locks order its processes; the WebAssembly driver
 * has no locks that end with their process, and must be alone. Throws `DATABASE_IN_USE`.
 */
export function lockSqliteFile(path: string, mode: 'shared' | 'exclusive'): Release {
  const file = openSync(`${path}.in-use`, 'a+', 0o600);
  // flock(1) locks the open file that it shares with us, and exits; the lock stays with our descriptor, which Node opens close-on-exec.
  const { status, error } = spawnSync('flock', [`--${mode}`, '--nonblock', '0'], {
    stdio: [file, 'ignore', 'ignore'],
  });
  if (status === 0) return () => closeSync(file);
  closeSync(file);
  if (error !== undefined) {
    throw new StoreError(
      'DATABASE_IN_USE',
      `cannot lock the database "${path}": ${error.message}`,
      'install util-linux, which has flock(1)',
      { cause: error },
    );
  }
  throw new StoreError(
    'DATABASE_IN_USE',
    `the database "${path}" is in use by another coordinator`,
    mode === 'exclusive'
      ? 'without better-sqlite3 only one coordinator can use a SQLite file: stop the other one, build better-sqlite3, or use PostgreSQL'
      : 'the other one has it without better-sqlite3, and thus for itself: stop it, or use PostgreSQL',
  );
}
