import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AreaName, CheckpointRef, CopiesAnswer } from '#libs/contracts';
import { ApiError, Unreachable } from '#libs/http-client';
import type { BuildEvent } from '#libs/engine';
import { planOf } from '../../../../libs/plan/src/testing.js';
import { LateCopies } from './late-copies.js';
import { ReplicaWait, type ReplicaWaitOptions } from './replica-wait.js';

const AREA = 'b-0000000001.default' as AreaName;
const plan = planOf(['a', 'b', 'c']);

function taken(index: number): BuildEvent {
  const boundary = plan.boundaries[index]!;
  const { workspace, label } = boundary;
  return { type: 'checkpoint-taken', boundary, checkpoint: { id: label, workspace, label, facts: {} } };
}

const THERE: CopiesAnswer = { kind: 'there' };
const COMING: CopiesAnswer = { kind: 'coming', reason: 'it is on its way to buddy' };
const WITHOUT: CopiesAnswer = { kind: 'without', reason: 'no other agent can take one' };

let answers: (CopiesAnswer | Error)[];
/** Called when an answer is on its way. */
let onAsked: () => void;
let asked: string[];
let notes: string[];
let warnings: string[];
let late: LateCopies;
let isCalledOff: boolean;
let abort: AbortController;
beforeEach(() => {
  [answers, asked, notes, warnings] = [[], [], [], []];
  onAsked = () => undefined;
  late = new LateCopies();
  isCalledOff = false;
  abort = new AbortController();
});

function waitOf(over: Partial<ReplicaWaitOptions> = {}): ReplicaWait {
  return new ReplicaWait({
    area: AREA,
    mode: 'one-behind',
    late,
    ask: ({ label }: CheckpointRef) => {
      asked.push(label);
      onAsked();
      const answer = answers.shift() ?? THERE;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    isCalledOff: () => isCalledOff,
    note: (text) => notes.push(text),
    warn: (text) => warnings.push(text),
    askAgainMs: 1,
    signal: abort.signal,
    ...over,
  });
}

describe('what a job waits for between two steps', () => {
  it.each<[ReplicaWaitOptions['mode'], readonly string[]]>([
    ['one-behind', ['.step_a', '.step_b']],
    ['each', ['.step_b', '.step_c']],
  ])('%s', async (mode, expected) => {
    const wait = waitOf({ mode });
    wait.see(taken(0));
    await wait.pass();
    expect(asked).toEqual([]);
    for (const index of [1, 2]) {
      wait.see(taken(index));
      await wait.pass();
    }
    expect(asked).toEqual(expected);
  });

  it('is nothing that was at hand when it began', async () => {
    const wait = waitOf({ mode: 'each' });
    const { checkpoint } = taken(1) as Extract<BuildEvent, { type: 'checkpoint-taken' }>;
    wait.see({ type: 'resumed', before: plan.steps[1]!, checkpoint });
    await wait.pass();
    expect(asked).toEqual([]);
  });

  it('is asked for once when it is there', async () => {
    const wait = waitOf();
    wait.see(taken(0));
    wait.see(taken(1));
    await wait.pass();
    await wait.pass();
    expect(asked).toEqual(['.step_a']);
  });
});

describe('a job that waits for a copy', () => {
  let wait: ReplicaWait;
  const begin = (over: Partial<ReplicaWaitOptions> = {}): void => {
    wait = waitOf(over);
    wait.see(taken(0));
    wait.see(taken(1));
  };

  it('goes on when it is there, and has it sent as fast as can be until then', async () => {
    begin();
    let wasLate = false;
    answers = [COMING, COMING];
    const passed = wait.pass().then(() => asked.length);
    while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
    wasLate = late.has(AREA);
    expect(await passed).toBe(3);
    expect([wasLate, late.has(AREA)]).toEqual([true, false]);
    expect(notes).toEqual([
      'waits for the copy of .step_a: it is on its way to buddy',
      'the copy of .step_a is there',
    ]);
    expect(warnings).toEqual([]);
  });

  it('asks again when it is woken', async () => {
    begin({ askAgainMs: 1_000_000 });
    answers = [COMING];
    const passed = wait.pass();
    while (!late.has(AREA)) await new Promise((resolve) => setImmediate(resolve));
    late.wake();
    await passed;
    expect(asked).toHaveLength(2);
  });

  it('asks again when the hint was quicker than the answer', async () => {
    begin({ askAgainMs: 1_000_000 });
    answers = [COMING];
    onAsked = () => late.wake();
    await wait.pass();
    expect(asked).toHaveLength(2);
    expect(late.has(AREA)).toBe(false);
  });

  it('goes on without it when it is told to, says so once, and has it sent as fast as can be all the same', async () => {
    begin();
    answers = [WITHOUT, WITHOUT];
    await wait.pass();
    wait.see(taken(2));
    await wait.pass();
    expect(asked).toEqual(['.step_a', '.step_b']);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^going on without a copy of \.step_a: no other agent can take one\./);
    expect(late.has(AREA)).toBe(true);
    wait.end();
    expect(late.has(AREA)).toBe(false);
  });

  it('says so again after the copies had caught up', async () => {
    begin();
    answers = [WITHOUT, THERE, WITHOUT];
    await wait.pass();
    await wait.pass();
    wait.see(taken(2));
    await wait.pass();
    expect(warnings).toHaveLength(2);
  });

  it('goes on without it when nobody answers', async () => {
    begin({ unansweredMs: 300 });
    answers = Array.from({ length: 100 }, () => new Unreachable('no', null));
    await wait.pass();
    expect(warnings[0]).toMatch(/the coordinator does not answer/);
  });

  it.each<[string, () => void]>([
    ['paused or handed over', () => (isCalledOff = true)],
    ['stopped', () => abort.abort()],
  ])('is let go when it is %s', async (_, stop) => {
    begin();
    answers = Array.from({ length: 1000 }, () => COMING);
    const passed = wait.pass();
    while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
    stop();
    await passed;
    expect(warnings).toEqual([]);
  });

  it('is let go when the attempt is another’s', async () => {
    begin();
    answers = [new ApiError('STALE_EPOCH', 409, 'over', null, [], null)];
    await wait.pass();
    expect(warnings).toEqual([]);
  });
});
