// Needs PostgreSQL's server programs (Debian: postgresql), setpriv and flock; root, or a user that PostgreSQL accepts.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it, describe } from '@jest/globals';
import { sql } from 'kysely';
import {
  appendEvents,
  isDatabaseUnavailable,
  isUniqueViolation,
  lastEventSeq,
  migrate,
  openDatabase,
  readEvents,
  setMetaOnce,
  transact,
  type DatabaseConfig,
  type FarmDatabase,
} from '#libs/store';
import { MIGRATIONS } from '../../libs/store/src/migrate.js';
import { openPool } from '../../libs/store/src/postgres-database.js';
import { describeEachDatabase } from '../../libs/store/src/testing.js';

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const many = <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));

describeEachDatabase('a database of record', (open, backend) => {
  it('says what it is and where, without a password', async () => {
    const { description, kind } = await open();
    expect(kind).toBe(backend.kind === 'postgres' ? 'postgres' : 'sqlite');
    expect(description).toMatch(
      {
        native: /^SQLite 3\.\d+\.\d+ \(better-sqlite3\) at \/.*farm\.db$/,
        wasm: /^SQLite 3\.\d+\.\d+ \(node-sqlite3-wasm\) at \/.*farm\.db; several coordinators cannot share it$/,
        postgres: /^PostgreSQL \d+\.\d+ at distrofarm@\/.*\/farm_\d+$/,
      }[backend.kind],
    );
  });

  it('answers a ping', async () => {
    await expect((await open()).ping()).resolves.toBeUndefined();
  });

  it('gives times and sizes as numbers', async () => {
    const { db } = await open();
    await db
      .insertInto('blobs')
      .values({ sha256: 'a', bytes: 5_000_000_000_000, created_at: 1_790_000_000_123 })
      .execute();
    expect(await db.selectFrom('blobs').selectAll().execute()).toEqual([
      { sha256: 'a', bytes: 5_000_000_000_000, created_at: 1_790_000_000_123 },
    ]);
    const { count } = await db
      .selectFrom('blobs')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    expect(count).toBe(1);
  });

  it('tells how many rows a change was about', async () => {
    const { db } = await open();
    await setMetaOnce(db, 'a', '1');
    await setMetaOnce(db, 'b', '1');
    const { numUpdatedRows } = await db.updateTable('meta').set({ value: '2' }).executeTakeFirst();
    expect(numUpdatedRows).toBe(2n);
  });

  it('refuses a reference to what is not there', async () => {
    const { db } = await open();
    const error = await caught(
      db
        .insertInto('variants')
        .values({
          id: 'v' as never,
          build_id: 'none' as never,
          name: 'x',
          plan_content_sha256: '',
          optional: 0,
          keys_wait: 0,
        })
        .execute(),
    );
    expect(String(error)).toMatch(/foreign key/i);
  });

  describe('migrate', () => {
    it('makes the schema once, and says so', async () => {
      const database = await backend.open(await backend.place());
      expect(await migrate(database)).toEqual(Object.keys(MIGRATIONS));
      expect(await migrate(database)).toEqual([]);
    });

    it('keeps what is in the database when it is opened again', async () => {
      const place = await backend.place();
      const first = await backend.open(place);
      await migrate(first);
      await setMetaOnce(first.db, 'farm', 'mill');
      await first.close();
      const second = await backend.open(place);
      expect(await migrate(second)).toEqual([]);
      expect(await setMetaOnce(second.db, 'farm', 'other')).toBe('mill');
    });

    it('is done once when several coordinators start at once', async () => {
      const place = await backend.place();
      const databases =
        backend.kind === 'wasm' ? [await backend.open(place)] : await many(4, () => backend.open(place));
      const applied = await Promise.all(databases.map((database) => migrate(database)));
      expect(applied.flat()).toEqual(Object.keys(MIGRATIONS));
    });

    it('refuses, and leaves alone, what a newer distrofarm migrated', async () => {
      const database = await open();
      await sql`insert into kysely_migration (name, timestamp) values ('0999-from-the-future', '2099-01-01T00:00:00.000Z')`.execute(
        database.db,
      );
      await expect(migrate(database)).rejects.toMatchObject({
        code: 'DATABASE_NEWER',
        message: expect.stringMatching(
          /was migrated by a newer distrofarm \(0999-from-the-future\)$/,
        ) as unknown,
      });
    });

    it('finds the very checkpoint that each job of before ended at', async () => {
      const database = await backend.open(await backend.place());
      const older = Object.fromEntries(Object.entries(MIGRATIONS).filter(([name]) => name < '0005'));
      await migrate(database, older);
      await insertBefore0005(database.db);
      expect(await migrate(database)).toContain('0005-end-checkpoints');
      const jobs = await database.db
        .selectFrom('jobs')
        .select(['id', 'end_checkpoint'])
        .orderBy('index')
        .execute();
      expect(jobs.map(({ end_checkpoint }) => end_checkpoint)).toEqual(['newest', null, null]);
    });

    it('leaves nothing of a migration that fails', async () => {
      const database = await open();
      const failing = {
        ...MIGRATIONS,
        '0002-half': {
          up: async (db: FarmDatabase['db']) => {
            await db.schema.createTable('half').addColumn('id', 'text').execute();
            await sql`select * from no_such_table`.execute(db);
          },
        },
      };
      await expect(migrate(database, failing)).rejects.toMatchObject({ code: 'MIGRATION_FAILED' });
      const tables = await database.db.introspection.getTables();
      expect(tables.map(({ name }) => name)).not.toContain('half');
      expect(await migrate(database)).toEqual([]);
    });
  });

  describe('transact', () => {
    it('takes transactions of requests at the same time', async () => {
      const { db } = await open();
      await setMetaOnce(db, 'n', '0');
      await many(20, () =>
        transact(db, async (tx) => {
          const { value } = await tx
            .updateTable('meta')
            .set((eb) => ({ key: eb.ref('key') }))
            .where('key', '=', 'n')
            .returning('value')
            .executeTakeFirstOrThrow();
          await tx
            .updateTable('meta')
            .set({ value: String(Number(value) + 1) })
            .where('key', '=', 'n')
            .execute();
        }),
      );
      expect(await setMetaOnce(db, 'n', '')).toBe('20');
    });

    it('lets one of many change a row that has to be in a state', async () => {
      const { db } = await open();
      await setMetaOnce(db, 'state', 'waiting');
      const winners = await many(10, (index) =>
        transact(db, (tx) =>
          tx
            .updateTable('meta')
            .set({ value: `taken by ${index}` })
            .where('key', '=', 'state')
            .where('value', '=', 'waiting')
            .returning('value')
            .execute(),
        ),
      );
      expect(winners.flat()).toHaveLength(1);
    });

    it('leaves nothing when its work fails, and can be used again', async () => {
      const { db } = await open();
      const failure = new Error('changed my mind');
      const error = await caught(
        transact(db, async (tx) => {
          await setMetaOnce(tx, 'half', 'done');
          throw failure;
        }),
      );
      expect(error).toBe(failure);
      expect(await setMetaOnce(db, 'half', 'not there')).toBe('not there');
    });

    it('tells a second row of the same key, by primary key and by unique column', async () => {
      const { db } = await open();
      const insert = (key: string) => db.insertInto('meta').values({ key, value: '' }).execute();
      await insert('a');
      const error = await caught(insert('a'));
      expect(isUniqueViolation(error)).toBe(true);
      expect(isDatabaseUnavailable(error)).toBe(false);
      const upload = (id: string) =>
        db
          .insertInto('uploads')
          .values({ id: id as never, attempt_id: 't' as never, sha256: 'd', bytes: 1, created_at: 1 })
          .execute();
      await upload('1');
      expect(isUniqueViolation(await caught(upload('2')))).toBe(true);
      expect(isUniqueViolation(await caught(sql`select * from nowhere`.execute(db)))).toBe(false);
    });

    it('tries again what another transaction was in the way of, and gives up', async () => {
      const { db } = await open();
      let attempts = 0;
      const twice = await transact(db, () => {
        attempts += 1;
        return attempts < 3
          ? Promise.reject(Object.assign(new Error('deadlock'), { code: '40P01' }))
          : Promise.resolve('done');
      });
      expect([twice, attempts]).toEqual(['done', 3]);
      const error = await caught(
        transact(db, () => Promise.reject(Object.assign(new Error('again'), { code: '40001' }))),
      );
      expect(error).toMatchObject({ message: 'again' });
    });

    if (backend.kind === 'postgres') {
      it('gets through a deadlock of two', async () => {
        const { db } = await open();
        await setMetaOnce(db, 'a', '0');
        await setMetaOnce(db, 'b', '0');
        const both = gate(2);
        const touch = (first: string, second: string) =>
          transact(db, async (tx) => {
            await tx.updateTable('meta').set({ value: '1' }).where('key', '=', first).execute();
            await both();
            await tx.updateTable('meta').set({ value: '1' }).where('key', '=', second).execute();
          });
        await Promise.all([touch('a', 'b'), touch('b', 'a')]);
      });
    }
  });

  describe('events', () => {
    it('numbers what many transactions tell at once, without holes and in the order of commits', async () => {
      const { db } = await open();
      const seen: number[] = [];
      await many(20, async (index) => {
        const last = await transact(db, (tx) =>
          appendEvents(tx, index, [
            { type: 'warning', data: { index } },
            { type: 'warning', data: { index } },
          ]),
        );
        seen.push(last);
        // Whatever is the last number can be read up to.
        const told = await lastEventSeq(db);
        const readable = await readEvents(db, { after: 0, limit: told });
        expect(readable.map(({ seq }) => seq)).toEqual(Array.from({ length: told }, (_, at) => at + 1));
      });
      const events = await readEvents(db, { after: 0, limit: 1000 });
      expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
      expect(new Set(seen).size).toBe(20);
      for (const [first, second] of pairs(events)) expect(first.data).toEqual(second.data);
    });

    it('gives no number away for a transaction that fails', async () => {
      const { db } = await open();
      await transact(db, (tx) => appendEvents(tx, 1, [{ type: 'warning' }]));
      await caught(
        transact(db, async (tx) => {
          await appendEvents(tx, 2, [{ type: 'warning' }]);
          throw new Error('no');
        }),
      );
      expect(await transact(db, (tx) => appendEvents(tx, 3, [{ type: 'warning' }]))).toBe(2);
    });

    it('takes thousands at once', async () => {
      const { db } = await open();
      const events = Array.from({ length: 5000 }, (_, index) => ({
        type: 'warning' as const,
        data: { index },
      }));
      expect(await transact(db, (tx) => appendEvents(tx, 1, events))).toBe(5000);
      expect((await readEvents(db, { after: 4999, limit: 10 })).map(({ data }) => data)).toEqual([
        { index: 4999 },
      ]);
    });
  });
});

describeEachDatabase('losing the database', (open, backend) => {
  if (backend.kind === 'postgres') {
    it.each(['fast', 'immediate'] as const)(
      'goes on after a restart of PostgreSQL (%s)',
      async (how) => {
        const { db } = await open();
        await setMetaOnce(db, 'a', '1');
        const inTransaction = caught(
          transact(db, async (tx) => {
            await setMetaOnce(tx, 'b', '1');
            const whileDown = [] as unknown[];
            await backend.server().restart(how, async () => {
              whileDown.push(await caught(setMetaOnce(db, 'c', '1')));
            });
            expect(whileDown.map(isDatabaseUnavailable)).toEqual([true]);
            await setMetaOnce(tx, 'd', '1');
          }),
        );
        const error = await inTransaction;
        expect({ error, unavailable: isDatabaseUnavailable(error) }).toMatchObject({ unavailable: true });
        expect(await db.selectFrom('meta').select('key').execute()).toEqual([{ key: 'a' }]);
      },
      60_000,
    );

    it('recognises a statement that the server ended, and one that took too long', async () => {
      const { db } = await open();
      const slow = caught(sql`select pg_sleep(600), 'to be ended'`.execute(db));
      const ended = await until(async () => {
        const { rows } = await sql<{ ended: boolean }>`
          select pg_terminate_backend(pid) as ended from pg_stat_activity
          where query like '%to be ended%' and pid <> pg_backend_pid()`.execute(db);
        return rows.length > 0;
      });
      expect(ended).toBe(true);
      expect(isDatabaseUnavailable(await slow)).toBe(true);
      const late = await caught(
        transact(db, async (tx) => {
          await sql`set local statement_timeout = 10`.execute(tx);
          await sql`select pg_sleep(600)`.execute(tx);
        }),
      );
      expect(isDatabaseUnavailable(late)).toBe(true);
      await db.selectFrom('meta').selectAll().execute();
    });

    it('leaves a connection that does not answer, and makes another one', async () => {
      const { url } = (await backend.place()) as DatabaseConfig & { kind: 'postgres' };
      const db = openPool(url, { max: 1, query_timeout: 300 }, () => undefined);
      try {
        const error = await caught(transact(db, (tx) => sql`select pg_sleep(600)`.execute(tx)));
        expect({ error, unavailable: isDatabaseUnavailable(error) }).toMatchObject({ unavailable: true });
        expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
      } finally {
        await db.destroy();
      }
    });

    it('tells of connections that broke while nobody used them', async () => {
      const place = (await backend.place()) as DatabaseConfig & { kind: 'postgres' };
      const lost: Error[] = [];
      const database = await openDatabase(place, { onLost: (error) => lost.push(error) });
      try {
        await database.ping();
        await backend.server().restart();
        await database.ping().catch(() => undefined);
        await database.ping();
        expect(lost.length).toBeGreaterThan(0);
        expect(lost.every(isDatabaseUnavailable)).toBe(true);
      } finally {
        await database.close();
      }
    }, 60_000);

    it('says at its start where no database answers, without the password', async () => {
      const error = await caught(
        openDatabase({ kind: 'postgres', url: 'postgres://farm:verysecret@127.0.0.1:1/farm' }),
      );
      expect(error).toMatchObject({
        code: 'DATABASE_UNREACHABLE',
        message: expect.stringContaining('PostgreSQL at farm@127.0.0.1:1/farm cannot be used') as unknown,
      });
      expect(isDatabaseUnavailable(error)).toBe(true);
      const unreadable = await caught(
        openDatabase({ kind: 'postgres', url: 'postgres://farm:verysecret@[/farm' }),
      );
      expect(unreadable).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
      expect(JSON.stringify([everything(error), everything(unreadable)])).not.toContain('verysecret');
    });
  } else {
    it('says at its start that the folder is missing', async () => {
      const place = (await backend.place()) as DatabaseConfig & { kind: 'sqlite' };
      await expect(
        openDatabase({ ...place, path: join(place.path, 'deeper', 'farm.db') }),
      ).rejects.toMatchObject({
        code: 'DATABASE_FOLDER_MISSING',
      });
    });

    it('says at its start that the file is no database', async () => {
      const place = (await backend.place()) as DatabaseConfig & { kind: 'sqlite' };
      writeFileSync(place.path, 'To whom it may concern,\n'.repeat(100));
      const error = await caught(openDatabase(place));
      expect(error).toMatchObject({ code: 'DATABASE_UNREADABLE' });
      // It has given its lock up.
      writeFileSync(place.path, '');
      await (await backend.open(place)).ping();
    });

    it('makes files for its user only, whatever they were before', async () => {
      const place = (await backend.place()) as DatabaseConfig & { kind: 'sqlite' };
      writeFileSync(place.path, '');
      chmodSync(place.path, 0o644);
      const database = await backend.open(place);
      await migrate(database);
      const folder = dirname(place.path);
      const modes = readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)]);
      expect(modes.length).toBeGreaterThan(2);
      expect(modes.filter(([, mode]) => mode !== '600')).toEqual([]);
    });

    it('recognises a full or busy database by what SQLite says', async () => {
      const { db } = await open();
      await sql`pragma max_page_count = 100`.execute(db);
      const error = await caught(
        transact(db, async (tx) => {
          for (let index = 0; ; index += 1) await setMetaOnce(tx, `k${index}`, 'x'.repeat(100_000));
        }),
      );
      expect({ error, unavailable: isDatabaseUnavailable(error) }).toMatchObject({ unavailable: true });
      expect(String(error)).toMatch(/full/);
      expect(await setMetaOnce(db, 'small', 'fits')).toBe('fits');
    });
  }

  if (backend.kind === 'native') {
    it('is shared by several coordinators on one host', async () => {
      const place = await backend.place();
      const [one, two] = [await backend.open(place), await backend.open(place)];
      await migrate(one);
      await Promise.all(
        [one, two].map(({ db }) =>
          many(10, () => transact(db, (tx) => appendEvents(tx, 1, [{ type: 'warning' }]))),
        ),
      );
      expect(await lastEventSeq(one.db)).toBe(20);
    });

    it('keeps out a coordinator that would need the file for itself', async () => {
      const place = (await backend.place()) as DatabaseConfig & { kind: 'sqlite' };
      await backend.open(place);
      await expect(openDatabase({ ...place, driver: 'wasm' })).rejects.toMatchObject({
        code: 'DATABASE_IN_USE',
      });
    });
  }

  if (backend.kind === 'wasm') {
    it('keeps every other coordinator out, and lets it in after it', async () => {
      const place = (await backend.place()) as DatabaseConfig & { kind: 'sqlite' };
      const first = await backend.open(place);
      await expect(openDatabase(place)).rejects.toMatchObject({ code: 'DATABASE_IN_USE' });
      await expect(openDatabase({ ...place, driver: 'native' })).rejects.toMatchObject({
        code: 'DATABASE_IN_USE',
      });
      await first.close();
      await (await backend.open(place)).ping();
    });

    it('opens what a killed coordinator left locked, with all that it had committed', async () => {
      const place = (await backend.place()) as DatabaseConfig & { kind: 'sqlite' };
      const program = `
        const { Database } = require('node-sqlite3-wasm');
        const db = new Database(${JSON.stringify(place.path)});
        db.exec('pragma locking_mode = exclusive; pragma journal_mode = wal; create table kept (id text)');
        db.exec("insert into kept values ('yes')");
        process.kill(process.pid, 'SIGKILL');`;
      const { signal } = spawnSync(process.execPath, ['-e', program], { cwd: process.cwd() });
      expect(signal).toBe('SIGKILL');
      mkdirSync(`${place.path}.lock`, { recursive: true });
      const { db } = await backend.open(place);
      expect((await sql`select id from kept`.execute(db)).rows).toEqual([{ id: 'yes' }]);
    });
  }
});

/** Lets nobody through before `count` have come. */
function gate(count: number): () => Promise<void> {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  let come = 0;
  return () => {
    come += 1;
    if (come >= count) open();
    return opened;
  };
}

async function until(condition: () => Promise<boolean>): Promise<boolean> {
  for (let round = 0; round < 1000; round += 1) {
    if (await condition()) return true;
  }
  return false;
}

function pairs<T>(items: readonly T[]): [T, T][] {
  return items.flatMap((item, index) => (index % 2 === 0 ? [[item, items[index + 1]!] as [T, T]] : []));
}

/** All that a log would show of an error. */
function everything(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error);
  const own = Object.getOwnPropertyNames(error).map((name) => [name, Reflect.get(error, name)] as const);
  return { ...Object.fromEntries(own), cause: everything(error.cause) };
}

/** A job that was tried twice and ended on agent 2, where it had ended before; one that has no end to go on from; one that nobody has begun. */
async function insertBefore0005(db: FarmDatabase['db']): Promise<void> {
  const values = async (table: string, rows: readonly Readonly<Record<string, unknown>>[]): Promise<void> => {
    for (const row of rows) {
      const columns = sql.join(Object.keys(row).map((column) => sql.ref(column)));
      const all = sql.join(Object.values(row));
      await sql`insert into ${sql.table(table)} (${columns}) values (${all})`.execute(db);
    }
  };
  await values('manifests', [{ sha256: 'm', text: '' }]);
  const build = { name: 'live', user: 'ada', manifest_sha256: 'm', manifest_path: 'm.xml', files: '[]' };
  const plain = {
    source_date_epoch: 0,
    priority: 'normal',
    note: '',
    wish: 'run',
    state: 'running',
    waits: 0,
  };
  await values('builds', [{ id: 'b', ...build, ...plain, created_at: 1 }]);
  await values('variants', [{ id: 'v', build_id: 'b', name: 'default', plan_content_sha256: '' }]);
  const json = { needs: '[]', imports: '[]', requires: '{}', ancestry: '[]', avoid: '[]' };
  const job = { build_id: 'b', variant_id: 'v', lane: 'main', workspace: 'w', waiting_reason: '', ...json };
  await values('jobs', [
    {
      ...job,
      id: 'j0',
      index: 0,
      state: 'succeeded',
      end_label: '.end_a',
      epoch: 2,
      generation: 1,
      retries: 0,
    },
    { ...job, id: 'j1', index: 1, state: 'succeeded', end_label: null, epoch: 1, generation: 1, retries: 0 },
    {
      ...job,
      id: 'j2',
      index: 2,
      state: 'blocked',
      end_label: '.end_c',
      epoch: 0,
      generation: 1,
      retries: 0,
    },
  ]);
  const agent = { facts: '{}', reason: '', enrolled_at: 1, failures: 0, dropping: '[]' };
  const flags = { drained: 0, paused: 0, leaving: 0 };
  await values(
    'agents',
    ['1', '2'].map((id) => ({ id, name: id, key_hash: id, ...agent, ...flags })),
  );
  const attempt = { build_id: 'b', state: 'ended', assigned_at: 1, last_seq: 1, log_bytes: 0 };
  const of = (number: number, agent_id: string, index: number) => ({
    ...{
      id: `t${index}.${number}`,
      job_id: `j${index}`,
      agent_id,
      number,
      epoch: number,
      lineage: `l${index}`,
    },
    ...attempt,
  });
  await values('attempts', [of(1, '1', 0), of(2, '2', 0), of(1, '1', 1)]);
  const checkpoint = { build_id: 'b', variant: 'default', workspace: 'w', previous: '' };
  const at = (id: string, agent_id: string, lineage: string, label: string, taken_at: number) => ({
    ...{ id, agent_id, lineage, label, taken_at },
    ...checkpoint,
  });
  await values('checkpoints', [
    at('lost', '1', 'l0', '.end_a', 9),
    at('older', '2', 'l0', '.end_a', 3),
    at('newest', '2', 'l0', '.end_a', 4),
    at('later', '2', 'l0', '.step_a', 5),
    at('other', '1', 'l1', '.step_b', 6),
  ]);
}
