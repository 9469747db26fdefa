import { setImmediate } from 'node:timers/promises';
import { sql, type Transaction } from 'kysely';
import { isConflict } from './database-errors.js';
import type { Schema } from './schema.js';

type Tx = Transaction<Schema>;
type InTransaction = (work: (tx: Tx) => Promise<void>) => Promise<void>;

interface Member {
  readonly work: (tx: Tx) => Promise<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Nobody waits for more than so many others; by then the wait for the disk is a small part of the time. */
const MOST_TOGETHER = 32;

/**
 * Commits together what is asked for at the same time, for a database that lets one transaction in at a time and waits for the disk at the end of each. Every
 * member has a savepoint: one that fails leaves nothing, and nothing of the others is lost with it. Each is told of its end when all are on disk.
 */
export class CommitGroup {
  readonly #waiting: Member[] = [];
  #isRunning = false;

  /** @param inTransaction runs work in a transaction, perhaps again from its beginning */
  constructor(private readonly inTransaction: InTransaction) {}

  async add<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve: resolve as Member['resolve'], reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      // What came in while the last group was on its way to the disk is read first.
      await setImmediate();
      await this.#commit(this.#waiting.splice(0, MOST_TOGETHER));
    }
    this.#isRunning = false;
  }

  async #commit(group: readonly Member[]): Promise<void> {
    const ends: (() => void)[] = [];
    try {
      await this.inTransaction(async (tx) => {
        ends.length = 0;
        for (const member of group) ends.push(await endOf(tx, member, group.length === 1));
      });
    } catch (error) {
      for (const { reject } of group) reject(error);
      return;
    }
    for (const end of ends) end();
  }
}

async function endOf(tx: Tx, { work, resolve, reject }: Member, isAlone: boolean): Promise<() => void> {
  if (isAlone) {
    const result = await work(tx);
    return () => resolve(result);
  }
  await sql`savepoint member`.execute(tx);
  try {
    const result = await work(tx);
    await sql`release member`.execute(tx);
    return () => resolve(result);
  } catch (error) {
    if (isConflict(error)) throw error;
    // A full disk has rolled all of it back already: then nobody's work is done.
    await sql`rollback to member`.execute(tx).catch(() => {
      throw error;
    });
    await sql`release member`.execute(tx);
    return () => reject(error);
  }
}
