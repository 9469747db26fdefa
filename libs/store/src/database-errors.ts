/** Of sockets; `ENOENT` is only meant with the syscall `connect`, for a Unix socket that is gone. */
const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
/** PostgreSQL, appendix A: it shuts down, crashed, starts up, has no connection left, took too long, ended an idle transaction. */
const POSTGRES_CODES = new Set(['57P01', '57P02', '57P03', '57P05', '53300', '57014', '25P03']);
/** What pg and pg-pool say without a code. */
const POSTGRES_WORDS =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error|Client was closed and is not queryable|The server does not|Cannot use a pool after calling end)/;
const SQLITE_CODES = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|CANTOPEN)/;
/** node-sqlite3-wasm gives SQLite's words and no code. */
const SQLITE_WORDS =
  /^(database is locked|database table is locked|database or disk is full|disk I\/O error|unable to open database file)/;

interface Clues {
  readonly code: string;
  readonly message: string;
  readonly syscall: string;
  readonly cause: unknown;
}

/**
 * Whether the database could not be asked, or did not answer: nothing of the transaction was changed, with one exception that nobody can tell apart: a
 * connection lost while it commits. Ask it of errors of database calls only; other sockets fail with the same codes.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  const clues = cluesOf(error);
  if (clues === null) return false;
  return (
    SOCKET_CODES.has(clues.code) ||
    (clues.code === 'ENOENT' && clues.syscall === 'connect') ||
    POSTGRES_CODES.has(clues.code) ||
    /^08[0-9A-Z]{3}$/.test(clues.code) ||
    POSTGRES_WORDS.test(clues.message) ||
    SQLITE_CODES.test(clues.code) ||
    SQLITE_WORDS.test(clues.message) ||
    isDatabaseUnavailable(clues.cause)
  );
}

/** Whether a row with that key, or that unique value, is there already. */
export function isUniqueViolation(error: unknown): boolean {
  const clues = cluesOf(error);
  if (clues === null) return false;
  return (
    clues.code === '23505' ||
    clues.code === 'SQLITE_CONSTRAINT_UNIQUE' ||
    clues.code === 'SQLITE_CONSTRAINT_PRIMARYKEY' ||
    clues.message.startsWith('UNIQUE constraint failed')
  );
}

/** Whether the same transaction, tried again, may well succeed: another one was in its way, and it has changed nothing. */
export function isConflict(error: unknown): boolean {
  const clues = cluesOf(error);
  if (clues === null) return false;
  return (
    clues.code === '40001' ||
    clues.code === '40P01' ||
    clues.code.startsWith('SQLITE_BUSY') ||
    clues.message === 'database is locked'
  );
}

function cluesOf(error: unknown): Clues | null {
  if (typeof error !== 'object' || error === null) return null;
  const { code, message, syscall, cause } = error as Readonly<Record<string, unknown>>;
  return { code: text(code), message: text(message), syscall: text(syscall), cause };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
