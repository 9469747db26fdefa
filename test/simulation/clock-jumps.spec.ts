import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptId } from '#libs/contracts';
import { migrate, openDatabase, type FarmDatabase } from '#libs/store';
import { RealCoordinator } from './real-coordinator.js';
import type { Call } from './recording-coordinator.js';
import { HEARTBEAT_MS, LEASE_MS } from './rules.js';
import { nameOfAgent } from './schedule.js';
import { SHAPES, START } from './world.js';

const AGENT = nameOfAgent(0);
const KEY = { attempt: 't-0.1' as AttemptId, epoch: 1, token: 'token' };
const INSTANCE = '0'.repeat(32);
const HOUR_MS = 3_600_000;

let folder: string;
let database: FarmDatabase;
let coordinator: RealCoordinator;
let now: number;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrofarm-jumps-'));
  database = await openDatabase({ kind: 'sqlite', path: join(folder, 'farm.db'), driver: 'auto' });
  await migrate(database);
  coordinator = new RealCoordinator(database);
  now = START;
  await coordinator.submit(SHAPES[0]!, [AGENT]);
  await ask('hello', AGENT, { instance: INSTANCE, spooled: [], holdings: [] }, now);
  await ask('schedule', now);
  await ask('take', AGENT, { attempt: KEY.attempt, epoch: 1 }, 'token', now);
  await watch(2 * LEASE_MS, true);
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

async function ask<M extends Call['method']>(
  method: M,
  ...args: Extract<Call, { method: M }>['args']
): Promise<void> {
  await coordinator.answer({ method, args } as unknown as Call);
}

/** Time goes by, while the coordinator looks for who is lost, and the agent renews its lease or is gone. */
async function watch(ms: number, isThere: boolean): Promise<void> {
  for (const until = now + ms; now < until;) {
    now += HEARTBEAT_MS;
    const beat = { instance: INSTANCE, attempts: [KEY] };
    if (isThere) await ask('heartbeat', AGENT, beat, now);
    await ask('findLost', now, START);
  }
}

async function jump(ms: number): Promise<void> {
  coordinator.jump(ms);
  now += ms;
  await ask('findLost', now, START);
}

/** Of the job, and whether the agent is lost. */
async function states(): Promise<unknown> {
  const record = (await coordinator.record()).map((row) => row.split(' '));
  const [, , state] = record.find(([kind]) => kind === '"job"')!;
  const [, , , , lostAt] = record.find(([kind]) => kind === '"agent"')!;
  return [state, lostAt === 'null' ? 'there' : 'lost'];
}

describe("a coordinator's clock that is set", () => {
  it.each([
    ['ahead', HOUR_MS],
    ['back', -HOUR_MS],
  ])('%s takes nobody for lost who is there', async (_, ms) => {
    await jump(ms);
    expect(await states()).toEqual(['"running"', 'there']);
    await watch(2 * LEASE_MS, true);
    expect(await states()).toEqual(['"running"', 'there']);
  });

  it('ahead gives who is gone a lease more, and takes him for lost then', async () => {
    await jump(HOUR_MS);
    await watch(LEASE_MS - HEARTBEAT_MS, false);
    expect(await states()).toEqual(['"running"', 'there']);
    await watch(2 * HEARTBEAT_MS, false);
    expect(await states()).toEqual(['"waiting"', 'lost']);
  });
});
