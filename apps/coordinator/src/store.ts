import type { Kysely } from 'kysely';
import type { FarmDatabase, Schema } from '#libs/store';

/** The database of record, as an injectable class. */
export class Store {
  constructor(readonly database: FarmDatabase) {}

  get db(): Kysely<Schema> {
    return this.database.db;
  }
}

/** Milliseconds since 1970; a class so that a test can stop time. */
export class Clock {
  now(): number {
    return Date.now();
  }
}
