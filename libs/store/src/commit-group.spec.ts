import { describe, expect, it } from '@jest/globals';
import { Kysely, sql, type Transaction } from 'kysely';
import { CommitGroup } from './commit-group.js';
import type { Schema } from './schema.js';
import { FarmSqliteDialect } from './sqlite-dialect.js';
import { loadSqliteDriver } from './sqlite-driver.js';

type Tx = Transaction<Schema>;

function makeGroup() {
  const db = new Kysely<Schema>({
    dialect: new FarmSqliteDialect({ database: loadSqliteDriver('auto').open(':memory:') }),
  });
  let transactions = 0;
  const group = new CommitGroup(async (work) => {
    transactions += 1;
    await db.transaction().execute(work);
  });
  return { db, group, count: () => transactions };
}

const insert = (n: number) => async (tx: Tx) => {
  await sql`insert into t values (${n})`.execute(tx);
  return n;
};
const numbers = async (db: Kysely<Schema>) =>
  (await sql<{ n: number }>`select n from t`.execute(db)).rows.map(({ n }) => n);

describe('CommitGroup', () => {
  it('commits together what is asked for at the same time, in its order', async () => {
    const { db, group, count } = makeGroup();
    await sql`create table t (n integer)`.execute(db);
    expect(await Promise.all([1, 2, 3].map((n) => group.add(insert(n))))).toEqual([1, 2, 3]);
    expect([await numbers(db), count()]).toEqual([[1, 2, 3], 1]);
  });

  it('keeps nothing of one that fails, and all of the others', async () => {
    const { db, group, count } = makeGroup();
    await sql`create table t (n integer)`.execute(db);
    const failing = group.add(async (tx) => {
      await insert(2)(tx);
      throw new Error('changed my mind');
    });
    const ends = await Promise.allSettled([group.add(insert(1)), failing, group.add(insert(3))]);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect([await numbers(db), count()]).toEqual([[1, 3], 1]);
  });

  it('fails all when the transaction is lost', async () => {
    const { db, group } = makeGroup();
    await sql`create table t (n integer)`.execute(db);
    const losing = group.add(async (tx) => {
      await sql`rollback`.execute(tx);
      throw new Error('disk full');
    });
    const ends = await Promise.allSettled([group.add(insert(1)), losing]);
    expect(ends).toMatchObject([{ reason: { message: 'disk full' } }, { reason: { message: 'disk full' } }]);
    expect(await numbers(db)).toEqual([]);
    await group.add(insert(4));
    expect(await numbers(db)).toEqual([4]);
  });
});
