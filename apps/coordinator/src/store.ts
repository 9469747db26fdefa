import type { Kysely } from 'kysely';
import type { FarmDatabase, Schema } from '#libs/store';

/** The database of record, as an injectable class. */
export class Store {
  constructor(readonly database: FarmDatabase) {}

  get db(): Kysely<Schema> {
    return this.database.db;
  }
}

/** A class so that a test can stop time. Milliseconds. */
export class Clock {
  /** Since 1970; somebody may set it. */
  now(): number {
    return Date.now();
  }

  /** Since some moment; nobody sets it. */
  monotonic(): number {
    return performance.now();
  }
}
