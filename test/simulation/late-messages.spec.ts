import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptId, Report, ReportEvent } from '#libs/contracts';
import { migrate, openDatabase, type FarmDatabase } from '#libs/store';
import { RealCoordinator } from './real-coordinator.js';
import type { Call } from './recording-coordinator.js';
import { LEASE_MS } from './rules.js';
import { nameOfAgent } from './schedule.js';
import { SHAPES, START } from './world.js';

const AGENT = nameOfAgent(0);
const ATTEMPT = 't-0.1' as AttemptId;
const KEY = { attempt: ATTEMPT, epoch: 1, token: 'token' };
const HELLO = { instance: '0'.repeat(32), spooled: [], holdings: [] };

let folder: string;
let database: FarmDatabase;
let coordinator: RealCoordinator;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrofarm-late-'));
  database = await openDatabase({ kind: 'sqlite', path: join(folder, 'farm.db'), driver: 'auto' });
  await migrate(database);
  coordinator = new RealCoordinator(database);
  await coordinator.submit(SHAPES[0]!, [AGENT, nameOfAgent(1)]);
  await ask('hello', AGENT, HELLO, START);
  await ask('schedule', START);
  await ask('take', AGENT, { attempt: ATTEMPT, epoch: 1 }, 'token', START);
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

async function ask<M extends Call['method']>(
  method: M,
  ...args: Extract<Call, { method: M }>['args']
): Promise<unknown> {
  return await coordinator.answer({ method, args } as unknown as Call);
}

async function report(...events: readonly ReportEvent[]): Promise<unknown> {
  const reports = events.map((event, at): Report => ({ seq: at + 1, at: START, event }));
  return await ask('report', AGENT, KEY, reports, START);
}

function started(step: number): ReportEvent {
  return { type: 'step-started', step };
}

const HOLDING = {
  id: 'c-1',
  lineage: 'b-0000000001/default/0/g1',
  workspace: 'build_data',
  label: '.step_b',
  previous: 'c-0',
  takenAt: START,
};

describe('a message that was long on its way', () => {
  it('a hello that comes again takes nothing from what the process has told since', async () => {
    await report({ type: 'checkpoint-taken', before: 1, holding: HOLDING });
    const before = await coordinator.record();
    await ask('hello', AGENT, HELLO, START);
    expect(await coordinator.record()).toEqual(before);
  });

  it('a heartbeat from before the assignment does not take it back once a newer one has named it', async () => {
    await ask('heartbeat', AGENT, { instance: HELLO.instance, attempts: [KEY] }, START + 1_000);
    await ask('heartbeat', AGENT, { instance: HELLO.instance, attempts: [] }, START + 60_000);
    expect(await coordinator.record()).toContainEqual(expect.stringMatching(/^"job" 0 "running"/));
  });

  it('a heartbeat that does not know of an assignment that nobody has named takes it back', async () => {
    await ask('heartbeat', AGENT, { instance: HELLO.instance, attempts: [] }, START + 60_000);
    expect(await coordinator.record()).toContainEqual(expect.stringMatching(/^"job" 0 "waiting"/));
  });
});

describe('a checkpoint that the coordinator never heard of', () => {
  it('proves the steps in front of it when an attempt goes on from it', async () => {
    await report(
      { type: 'checkpoint-taken', before: 1, holding: HOLDING },
      { type: 'resumed', before: 1, checkpoint: HOLDING.id },
    );
    const record = await coordinator.record();
    expect(record).toContainEqual(expect.stringMatching(/^"step" 0 "succeeded"/));
    expect(record).toContainEqual(expect.stringMatching(/^"step" 1 "waiting"/));
    expect(record).toContainEqual(expect.stringMatching(/^"checkpoint" "a-0" "c-1"/));
  });

  it('proves all steps of a job that succeeded', async () => {
    await report({ type: 'ended', end: { kind: 'succeeded' }, logBytes: 0 });
    const steps = (await coordinator.record()).filter((row) => row.startsWith('"step"'));
    expect(steps.every((row) => row.includes('"succeeded"'))).toBe(true);
  });
});

describe('a step that an attempt ran unheard, and another after it', () => {
  const OTHER = nameOfAgent(1);
  const SECOND = 't-0.2' as AttemptId;
  const lost = START + 2 * LEASE_MS;
  const over = lost + 2 * LEASE_MS;
  const FIRST_HOLDING = { ...HOLDING, id: 'c-0', label: '.step_a', previous: '' };
  const holdings = [FIRST_HOLDING, { ...HOLDING, takenAt: START + 2_000 }];
  const steps = async (): Promise<readonly string[]> =>
    (await coordinator.record()).filter((row) => row.startsWith('"step"')).slice(0, 2);

  /** The first attempt is lost while it runs the step; the second one, which begins it anew, is too; the third has what the first one left. */
  async function thirdBegins(...ofSecond: readonly ReportEvent[]): Promise<void> {
    await report({ type: 'checkpoint-taken', before: 0, holding: FIRST_HOLDING }, started(0));
    await ask('findLost', lost, START);
    await ask('hello', OTHER, { ...HELLO, instance: '1'.repeat(32) }, lost);
    await ask('schedule', lost);
    await ask('take', OTHER, { attempt: SECOND, epoch: 2 }, 'second', lost);
    const reports = [started(0), ...ofSecond].map((event, at): Report => ({
      seq: at + 1,
      at: lost + 1_000,
      event,
    }));
    await ask('report', OTHER, { attempt: SECOND, epoch: 2, token: 'second' }, reports, lost + 1_000);
    await ask('findLost', over, START);
    await ask('hello', AGENT, { ...HELLO, instance: '2'.repeat(32), holdings }, over);
    await ask('schedule', over);
    await ask('take', AGENT, { attempt: 't-0.3' as AttemptId, epoch: 3 }, 'third', over);
    const chain = [
      { type: 'checkpoint-taken', before: 0, holding: holdings[0]! },
      { type: 'checkpoint-taken', before: 1, holding: holdings[1]! },
      { type: 'resumed', before: 1, checkpoint: 'c-1' },
    ] as const;
    const told = chain.map((event, at): Report => ({ seq: at + 1, at: over, event }));
    await ask('report', AGENT, { attempt: 't-0.3' as AttemptId, epoch: 3, token: 'third' }, told, over);
  }

  it.each<[string, readonly ReportEvent[]]>([
    ['that did not end it', []],
    ['that did', [{ type: 'step-ended', step: 0, outcome: { kind: 'succeeded' } }]],
  ])('is of the one that a third goes on from, not of the one %s', async (_, events) => {
    await thirdBegins(...events);
    expect(await steps()).toEqual(['"step" 0 "succeeded" "t-0.1"', '"step" 1 "waiting" null']);
  });
});

describe('a job that asks for a copy', () => {
  const NOWHERE = { on: [], missing: 1, receivers: [nameOfAgent(1)] };
  const THERE = { on: [nameOfAgent(1)], missing: 0, receivers: [] };
  const late = async (): Promise<unknown> =>
    (await database.db.selectFrom('attempts').select('copies_late_of').executeTakeFirst())?.copies_late_of;

  it('hears of one that came before it was on record that somebody waits', async () => {
    expect(await coordinator.askCopies(AGENT, KEY, [NOWHERE, THERE])).toEqual({ kind: 'there' });
    expect(await late()).toBeNull();
  });

  it('is on record as waiting until it is there', async () => {
    expect(await coordinator.askCopies(AGENT, KEY, [NOWHERE, NOWHERE])).toMatchObject({ kind: 'coming' });
    expect(await late()).toBe('.step_b');
    expect(await coordinator.askCopies(AGENT, KEY, [NOWHERE])).toMatchObject({ kind: 'coming' });
    expect(await coordinator.askCopies(AGENT, KEY, [THERE])).toEqual({ kind: 'there' });
    expect(await late()).toBeNull();
  });
});
