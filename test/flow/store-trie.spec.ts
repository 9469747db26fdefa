// Needs PostgreSQL's server programs (Debian: postgresql), setpriv and flock; root, or a user that PostgreSQL accepts.
import { expect, it } from '@jest/globals';
import type { AgentId, BuildId, JobId } from '#libs/contracts';
import {
  areaBytesOfStates,
  buildsWithoutKeys,
  checkpointsOfState,
  checkpointsWithoutKeys,
  countStatesBelow,
  countStatesFrom,
  heldAncestors,
  heldState,
  heldStates,
  holdingsOfStates,
  insertCheckpoint,
  keepStates,
  pinCheckpoints,
  pinnedStates,
  recordAreaSizes,
  sharesOfStates,
  updateBuild,
  variantsOfState,
  writeKeys,
  type CheckpointRow,
  type TrieFilter,
} from '#libs/store';
import { aBuild, aJob, anAgent, type Db } from '../support/store-rows.js';
import { MIGRATIONS } from '../../libs/store/src/migrate.js';
import { describeEachDatabase } from '../../libs/store/src/testing.js';

const ALL: TrieFilter = { without: [] };
const FIRST = { after: null, limit: 10 };

describeEachDatabase('the trie of what agents hold', (open) => {
  /** States `root > one > two`, and `root > other`; `gone > orphan`, of which only the latter is ever held. */
  async function aTrie() {
    const { db } = await open();
    const [mill, lime] = [(await anAgent(db, 'mill')).id, (await anAgent(db, 'lime')).id];
    const [first, second] = [await aBuild(db, 'succeeded'), await aBuild(db, 'succeeded')];
    await keepStates(db, [
      { key: 'root', parent: null, step: null },
      { key: 'one', parent: 'root', step: 'pop' },
      { key: 'two', parent: 'one', step: 'mod' },
      { key: 'other', parent: 'root', step: 'pop' },
      { key: 'orphan', parent: 'gone', step: 'iso' },
      { key: 'gone', parent: 'root', step: 'pop' },
    ]);
    const hold = async (agentId: AgentId, buildId: BuildId, ...keys: readonly string[]) => {
      for (const key of keys) await insertCheckpoint(db, row(agentId, buildId, key));
    };
    return { db, mill, lime, first, second, hold };
  }

  let count = 0;
  const row = (
    agentId: AgentId,
    buildId: BuildId,
    key: string | null,
    change: Partial<CheckpointRow> = {},
  ) => ({
    agentId,
    id: `${(count += 1)}`,
    buildId,
    variant: 'default',
    lineage: 'l',
    workspace: 'build_data',
    label: '.step_next',
    previous: '',
    takenAt: count,
    key,
    ...change,
  });
  const has = async (db: Db, job: JobId, ...keys: readonly string[]): Promise<void> => {
    const known = keys.map((key, at) => ({ job_id: job, position: at + 1, key }));
    await db.insertInto('boundary_keys').values(known).execute();
  };

  it('has what is held at the top, or below what is held and led to it; the newest first, by page', async () => {
    const { db, mill, lime, first, second, hold } = await aTrie();
    await hold(mill, first, 'root', 'one', 'two', 'orphan');
    await hold(lime, second, 'root', 'other');
    const level = async (parent: string | null, filter: TrieFilter = ALL) =>
      (await heldStates(db, parent, filter, FIRST)).map(({ key }) => key);
    expect(await level(null)).toEqual(['root', 'orphan']);
    expect(await level('root')).toEqual(['other', 'one']);
    expect(await level('one')).toEqual(['two']);
    expect(await level('two')).toEqual([]);
    // What only a revoked agent holds nobody holds.
    expect(await level('root', { without: [lime] })).toEqual(['one']);
    expect(await level(null, { without: [], agent: lime })).toEqual(['root']);
    const [newest] = await heldStates(db, 'root', ALL, { after: null, limit: 1 });
    expect(newest).toMatchObject({ key: 'other', parent: 'root', step: 'pop' });
    const after = { newestAt: newest!.newestAt, id: newest!.key };
    expect((await heldStates(db, 'root', ALL, { after, limit: 9 })).map(({ key }) => key)).toEqual(['one']);
    expect(await heldState(db, 'two', ALL)).toMatchObject({ parent: 'one', step: 'mod' });
    expect(await heldState(db, 'gone', ALL)).toBeNull();
    expect(await heldAncestors(db, 'two', ALL)).toEqual(['root', 'one']);
    expect(await heldAncestors(db, 'orphan', ALL)).toEqual([]);
  });

  it('counts what is below a state, up to a limit', async () => {
    const { db, mill, first, hold } = await aTrie();
    await hold(mill, first, 'root', 'one', 'two', 'other', 'orphan');
    expect(await countStatesFrom(db, ['root', 'one', 'two'], ALL)).toEqual(
      new Map([
        ['root', 2],
        ['one', 1],
      ]),
    );
    expect(await countStatesBelow(db, 'root', ALL, 100)).toBe(3);
    expect(await countStatesBelow(db, 'root', ALL, 2)).toBe(2);
    expect(await countStatesBelow(db, 'two', ALL, 100)).toBe(0);
  });

  it('is narrowed to the states of a build or a distribution, whoever made them', async () => {
    const { db, mill, first, second, hold } = await aTrie();
    await updateBuild(db, second, { name: 'Tiny' });
    await has(db, await aJob(db, first), 'root', 'one', 'two');
    await has(db, await aJob(db, second), 'root', 'one');
    await hold(mill, first, 'root', 'one', 'two', 'other');
    const level = async (parent: string | null, change: Partial<TrieFilter>) =>
      (await heldStates(db, parent, { ...ALL, ...change }, FIRST)).map(({ key }) => key);
    expect(await level('root', { build: second })).toEqual(['one']);
    expect(await level('one', { build: second })).toEqual([]);
    expect(await level('one', { build: first })).toEqual(['two']);
    expect(await level(null, { distribution: 'Tiny' })).toEqual(['root']);
    expect(await level(null, { distribution: 'Huge' })).toEqual([]);
    expect(await countStatesBelow(db, 'root', { ...ALL, distribution: 'Tiny' }, 9)).toBe(1);
  });

  it('says who holds and who shares a state, what its areas take, and whether somebody keeps it', async () => {
    const { db, mill, lime, first, second, hold } = await aTrie();
    const [one, two] = [await aJob(db, first, 0), await aJob(db, first, 1)];
    await has(db, one, 'root', 'one');
    await has(db, two, 'root');
    await has(db, await aJob(db, second), 'root');
    await has(db, await aJob(db, await aBuild(db, 'succeeded', [], 5)), 'root');
    await hold(mill, first, 'root', 'one');
    await hold(lime, second, 'root');
    expect(await sharesOfStates(db, ['root', 'one', 'two'])).toEqual(
      expect.arrayContaining([
        { key: 'root', distribution: 'live', builds: 2, variants: 3 },
        { key: 'one', distribution: 'live', builds: 1, variants: 1 },
      ]),
    );
    const sharing = await variantsOfState(db, 'root', 10);
    expect(sharing.map(({ build, variant }) => `${build} ${variant}`).toSorted()).toEqual(
      [`${first} v0`, `${first} v1`, `${second} v0`].toSorted(),
    );
    const holders = await holdingsOfStates(db, ['root'], ALL);
    expect(holders.map(({ agentId, buildId }) => [agentId, buildId]).toSorted()).toEqual(
      [
        [mill, first],
        [lime, second],
      ].toSorted(),
    );
    await recordAreaSizes(db, mill, [{ buildId: first, variant: 'default', usedBytes: 5_000_000_000 }], 1);
    await recordAreaSizes(db, lime, [{ buildId: second, variant: 'default', usedBytes: 7 }], 1);
    expect(await areaBytesOfStates(db, ['root', 'one', 'two'], ALL)).toEqual(
      new Map([
        ['root', 5_000_000_007],
        ['one', 5_000_000_000],
      ]),
    );
    const pin = { user: 'ada', why: '', pinnedAt: 1 };
    await pinCheckpoints(db, { build: first, variant: 'other', ...pin });
    expect(await pinnedStates(db, ['root', 'one'])).toEqual(new Set());
    await pinCheckpoints(db, { build: first, variant: 'default', ...pin });
    await pinCheckpoints(db, { build: second, variant: null, ...pin });
    expect(await pinnedStates(db, ['root', 'one'])).toEqual(new Set(['root', 'one']));
    const { rows, count: all } = await checkpointsOfState(db, 'root', ALL, 1);
    expect([all, rows]).toMatchObject([
      2,
      [{ agentId: lime, distribution: 'live', user: 'ada', trusted: 0 }],
    ]);
  });

  it('has what equals nothing else by build, once for all that hold it', async () => {
    const { db, mill, lime, first, second } = await aTrie();
    const copied = row(mill, first, null);
    for (const each of [copied, { ...copied, agentId: lime }, row(mill, first, null, { variant: 'de' })])
      await insertCheckpoint(db, each);
    await insertCheckpoint(db, row(lime, second, null));
    const builds = await buildsWithoutKeys(db, ALL, FIRST);
    expect(builds).toMatchObject([
      { build: second, distribution: 'live', checkpoints: 1, variants: 1, agents: [lime] },
      { build: first, checkpoints: 2, variants: 2 },
    ]);
    expect(builds[1]!.agents.toSorted()).toEqual([mill, lime].toSorted());
    expect(await buildsWithoutKeys(db, { ...ALL, agent: lime, build: first }, FIRST)).toMatchObject([
      { build: first, checkpoints: 1 },
    ]);
    const found = await checkpointsWithoutKeys(db, first, ALL, FIRST);
    expect(found.map(({ id, variant }) => [id === copied.id, variant])).toEqual([
      [false, 'de'],
      [true, 'default'],
      [true, 'default'],
    ]);
    const [newest] = found;
    const after = { newestAt: newest!.takenAt, id: newest!.id };
    expect(await checkpointsWithoutKeys(db, first, ALL, { after, limit: 1 })).toHaveLength(2);
  });

  it('knows where keys come from that were worked out later', async () => {
    const { db } = await open();
    const build = await aBuild(db, 'running');
    const job = await aJob(db, build);
    const step = { message: '', state: 'waiting' as const, started_at: null, ended_at: null, outcome: null };
    await db
      .insertInto('steps')
      .values({ job_id: job, index: 0, name: 'pop', ...step, attempt_id: null, reused_from: null })
      .execute();
    const known = ['begin', 'behind'].map((key, at) => ({ job_id: job, position: at + 1, key }));
    await writeKeys(db, new Map([[job, 'behind']]), known);
    expect(await db.selectFrom('states').selectAll().orderBy('key').execute()).toEqual([
      { key: 'begin', parent: null, step: null },
      { key: 'behind', parent: 'begin', step: 'pop' },
    ]);
  });

  it('finds in a record of before what is written since', async () => {
    const { db } = await open();
    const mill = (await anAgent(db, 'mill')).id;
    const build = await aBuild(db, 'running');
    const job = await aJob(db, build);
    const step = { message: '', state: 'waiting' as const, started_at: null, ended_at: null, outcome: null };
    await db
      .insertInto('steps')
      .values(
        ['pop', 'mod'].map((name, index) => {
          return { job_id: job, index, name, ...step, attempt_id: null, reused_from: null };
        }),
      )
      .execute();
    const known = ['begin', 'behind', 'last'].map((key, at) => ({ job_id: job, position: at + 1, key }));
    await writeKeys(db, new Map([[job, 'last']]), known);
    const first = row(mill, build, 'begin');
    await insertCheckpoint(db, first);
    await insertCheckpoint(db, row(mill, build, 'behind', { previous: first.id }));
    await insertCheckpoint(db, row(mill, build, 'last', { previous: 'of another agent' }));
    const written = async () => ({
      states: await db.selectFrom('states').selectAll().orderBy('key').execute(),
      begins: await db.selectFrom('checkpoints').select(['key', 'begins']).orderBy('key').execute(),
    });
    const since = await written();
    expect(since.begins.map(({ begins }) => begins)).toEqual([1, 0, 1]);
    await db.schema.dropTable('states').execute();
    await db.schema.dropIndex('checkpoints_that_begin').execute();
    await db.schema.alterTable('checkpoints').dropColumn('begins').execute();
    await MIGRATIONS['0016-states']!.up(db);
    expect(await written()).toEqual(since);
  });
});
