import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { loadSqliteDriver } from './sqlite-driver.js';

const load = createRequire(import.meta.url);
const withoutNative = (name: string): unknown => {
  if (name === 'better-sqlite3') throw new Error('it was compiled for another Node\nRequire stack: …');
  return load(name);
};

describe('loadSqliteDriver', () => {
  it('prefers the native driver', () => {
    expect(loadSqliteDriver('auto', load)).toMatchObject({ kind: 'native', name: 'better-sqlite3' });
  });

  it('goes without it where it cannot be used, and says why', () => {
    expect(loadSqliteDriver('auto', withoutNative)).toMatchObject({
      kind: 'wasm',
      name: 'node-sqlite3-wasm, since better-sqlite3 cannot be used: it was compiled for another Node',
    });
  });

  it('refuses to start without it when it was asked for', () => {
    expect(() => loadSqliteDriver('native', withoutNative)).toThrow(
      expect.objectContaining({ code: 'DATABASE_DRIVER_MISSING' }),
    );
  });
});

describe.each(['native', 'wasm'] as const)('the %s driver', (wanted) => {
  it('gives rows of what returns rows, and a count of what does not', () => {
    const database = loadSqliteDriver(wanted).open(':memory:');
    const run = (sql: string, ...values: unknown[]) => {
      const statement = database.prepare(sql);
      return statement.reader ? statement.all(values) : statement.run(values).changes;
    };
    run('create table t (a integer, b text)');
    expect(run('insert into t values (?, ?)', 2 ** 40, 'x')).toBe(1);
    expect(run('insert into t values (?, ?) returning a', -1, null)).toEqual([{ a: -1 }]);
    expect(run('with u as (select a from t) select * from u order by a')).toEqual([
      { a: -1 },
      { a: 2 ** 40 },
    ]);
    expect(run('update t set b = ?', 'y')).toBe(2);
    expect([...database.prepare('select b from t').iterate([])]).toEqual([{ b: 'y' }, { b: 'y' }]);
    expect(run('pragma user_version')).toEqual([{ user_version: 0 }]);
    database.close();
  });

  it('knows whether a transaction is open, and rolls back none that SQLite ended', () => {
    const database = loadSqliteDriver(wanted).open(':memory:');
    const run = (sql: string) => database.prepare(sql).run([]);
    run('begin');
    expect(database.inTransaction).toBe(true);
    run('rollback');
    expect(database.inTransaction).toBe(false);
    run('rollback');
    database.close();
  });
});
