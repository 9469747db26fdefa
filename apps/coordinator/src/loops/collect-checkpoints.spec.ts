import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type AgentId, type BuildId, type BuildState } from '#libs/contracts';
import type { Wakes } from '#libs/queue';
import {
  findAgent,
  insertAttempt,
  insertCheckpoint,
  migrate,
  openDatabase,
  pinCheckpoints,
  recordAreaSizes,
  updateBuild,
  type FarmDatabase,
} from '#libs/store';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { aBuild, aJob, anAgent } from '../../../../test/support/store-rows.js';
import { CoordinatorConfig } from '../config.js';
import { Clock, Store } from '../store.js';
import { Work } from '../work.js';
import { CollectCheckpoints } from './collect-checkpoints.js';

const DAY = 86_400_000;
const GB = 1_000_000_000;

let folder: string;
let database: FarmDatabase;
let collecting: CollectCheckpoints;
let woken: string[];
let mill: AgentId;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'collect-checkpoints-'));
  database = await openDatabase({ kind: 'sqlite', path: join(folder, 'farm.db'), driver: 'auto' });
  await migrate(database);
  const read = CoordinatorConfig.read({ DISTROFARM_KEEP_NEWEST_CHECKPOINTS: '1' });
  if (!read.ok) throw new Error(read.problems.join());
  woken = [];
  const publish = (channel: string): Promise<boolean> => Promise.resolve(woken.push(channel) > 0);
  const clock = new Clock();
  clock.now = () => 100 * DAY;
  const store = new Store(database);
  const work = new Work(store, { publish } as unknown as Wakes, clock);
  collecting = new CollectCheckpoints(store, work, read.config, clock, pino({ level: 'silent' }));
  mill = (await anAgent(database.db, 'mill')).id;
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

/** Of which mill holds a checkpoint and 1 GB, unless it is not measured. */
async function held(state: BuildState, days: number, size: number | null = GB): Promise<BuildId> {
  const { db } = database;
  const id = await aBuild(db, state);
  await updateBuild(db, id, { ended_at: (100 - days) * DAY - 1 });
  const lineage = `${id}/default/0/g1`;
  const at = { lineage, workspace: 'build_data', label: '.end', previous: '', takenAt: 1, key: null };
  await insertCheckpoint(db, { agentId: mill, id: `of ${id}`, buildId: id, variant: 'default', ...at });
  if (size !== null)
    await recordAreaSizes(db, mill, [{ buildId: id, variant: 'default', usedBytes: size }], 1);
  return id;
}
const dropping = async (): Promise<readonly string[]> => (await findAgent(database.db, mill))?.dropping ?? [];
const areaOf = (id: BuildId): string => `${id}.default`;

describe('collecting checkpoints', () => {
  it('tells the agent once to drop what was shown before', async () => {
    const [old, newest] = [await held('succeeded', 30), await held('succeeded', 20)];
    const [pinned, failed] = [await held('failed', 30), await held('failed', 2)];
    await pinCheckpoints(database.db, { build: pinned, variant: null, user: 'ada', why: '', pinnedAt: 1 });
    const shown = await collecting.plan({});
    expect(shown.removals).toMatchObject([{ build: old, agent: mill, as: 'old', usedBytes: GB }]);
    expect(await dropping()).toEqual([]);
    expect(await collecting.collect({})).toEqual(shown);
    expect(await dropping()).toEqual([areaOf(old)]);
    expect(woken).toEqual([`agent:${mill}`]);
    expect((await collecting.plan({})).removals).toEqual([]);
    const { order } = await collecting.held();
    const told = order.map(({ area, as }) => [area.build, as, area.isGoing, area.isPinned]);
    expect(told.slice(0, 2)).toEqual([
      [newest, 'newest', false, false],
      [failed, 'failed', false, false],
    ]);
    expect(new Set(told.slice(2))).toEqual(
      new Set([
        [old, null, true, false],
        [pinned, null, false, true],
      ]),
    );
  });

  it('makes room on an agent, in the order of the policies', async () => {
    const [failed, before, newest] = [
      await held('failed', 3),
      await held('succeeded', 0.9),
      await held('succeeded', 0.8),
    ];
    const agent = (await findAgent(database.db, mill))!;
    // 100 bytes are free.
    const { removals, shortages } = await collecting.collect({ agent, freeBytes: 2 * GB });
    expect(removals.map(({ build, as }) => [build, as])).toEqual([
      [before, 'finished'],
      [newest, 'newest'],
    ]);
    expect(shortages).toEqual([]);
    expect((await dropping()).toSorted()).toEqual([areaOf(before), areaOf(newest)].toSorted());
    const more = await collecting.plan({ agent: (await findAgent(database.db, mill))!, freeBytes: 9 * GB });
    expect(more.removals.map(({ build }) => build)).toEqual([failed]);
    expect(more.shortages).toMatchObject([{ agent: mill, missingBytes: 6 * GB - 100 }]);
  });

  it.each([
    ['is assigned', null, null, false],
    ['fetches', 'fetching', null, false],
    ['runs its steps', 'running', null, true],
    ['has come between choosing and dropping', null, 'later', false],
  ])('leaves what an attempt may begin with that %s', async (_, phase, when, goes) => {
    const { db } = database;
    const [maker, key] = [await held('failed', 30), 'k'.repeat(64)];
    await db.updateTable('checkpoints').set({ key }).where('build_id', '=', maker).execute();
    const build = await aBuild(db, 'running');
    await updateBuild(db, build, { reuse: 1 });
    const job = await aJob(db, build);
    await db.insertInto('boundary_keys').values({ job_id: job, position: 2, key }).execute();
    // Wherever it is: it fetches from others.
    const { id: agent } = await anAgent(db, 'tank');
    const id = newId('t');
    const assign = async (): Promise<void> => {
      const of = { id, job, build, agent, epoch: 1, number: 1, lineage: 'l', fetchUpTo: null };
      await insertAttempt(db, { ...of, now: 1, leaseUntil: 9 });
      await db.updateTable('attempts').set({ phase }).where('id', '=', id).execute();
    };
    if (when === null) await assign();
    const plan = collecting.plan.bind(collecting);
    collecting.plan = async (scope) => {
      const chosen = await plan(scope);
      if (when !== null) await assign();
      return chosen;
    };
    const { removals } = await collecting.collect({});
    expect(removals.map((removal) => removal.build)).toEqual(goes ? [maker] : []);
  });

  it('leaves what has come into use since it was chosen, and what an unfinished job goes on from', async () => {
    const { db } = database;
    const [resumed, pinned, base, goes] = [
      await held('failed', 30),
      await held('failed', 30),
      await held('failed', 30),
      await held('failed', 30),
    ];
    const job = await aJob(db, await aBuild(db, 'waiting'));
    const origin = { build: base, variant: 'default', lineage: 'l', workspace: 'build_data', label: '.end' };
    await db
      .updateTable('jobs')
      .set({ end_origin: JSON.stringify(origin) })
      .where('id', '=', job)
      .execute();
    const plan = collecting.plan.bind(collecting);
    expect((await collecting.plan({})).removals.map(({ build }) => build).toSorted()).toEqual(
      [resumed, pinned, goes].toSorted(),
    );
    // Between choosing and dropping.
    collecting.plan = async (scope) => {
      const chosen = await plan(scope);
      await updateBuild(db, resumed, { state: 'waiting' });
      await pinCheckpoints(db, { build: pinned, variant: 'default', user: 'ada', why: '', pinnedAt: 1 });
      return chosen;
    };
    expect((await collecting.collect({})).removals.map(({ build }) => build)).toEqual([goes]);
    expect(await dropping()).toEqual([areaOf(goes)]);
  });

  it('has left of a collected build what was in the way when it was collected', async () => {
    const id = await held('succeeded', 30, null);
    await updateBuild(database.db, id, { collected_at: 99 * DAY });
    expect((await collecting.collect({})).removals).toMatchObject([
      { build: id, as: 'old', why: 'its build was collected' },
    ]);
  });

  it('goes on where there is more than one transaction takes', async () => {
    for (let count = 0; count < 60; count += 1) await held('failed', 30);
    expect((await collecting.collect({})).removals).toHaveLength(60);
    expect(await dropping()).toHaveLength(60);
  });
});
