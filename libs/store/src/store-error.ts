/**
 * The database of record cannot be used as it is. Every code is for the person who starts the coordinator:
 *
 *     DATABASE_FOLDER_MISSING   the folder of the SQLite file is not there, or is not a folder
 *     DATABASE_DRIVER_MISSING   the asked-for SQLite driver cannot be loaded
 *     DATABASE_IN_USE           another process has the SQLite file in a way that does not let a second one in
 *     DATABASE_UNREADABLE       the SQLite file cannot be opened, or is not one
 *     DATABASE_UNREACHABLE      PostgreSQL does not answer, or does not let us in
 *     DATABASE_NEWER            a newer distrofarm has migrated it
 *     MIGRATION_FAILED          a migration could not be applied; the database is as it was before it
 */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  constructor(
    readonly code: StoreErrorCode,
    message: string,
    readonly hint: string | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export type StoreErrorCode =
  | 'DATABASE_FOLDER_MISSING'
  | 'DATABASE_DRIVER_MISSING'
  | 'DATABASE_IN_USE'
  | 'DATABASE_UNREADABLE'
  | 'DATABASE_UNREACHABLE'
  | 'DATABASE_NEWER'
  | 'MIGRATION_FAILED';
