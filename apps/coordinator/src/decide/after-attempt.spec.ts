import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InfrastructureFault, Wish, type AttemptEnd } from '#libs/contracts';
import { afterAttempt, MOST_RETRIES, quarantineMs, type EndedJob, type NextForJob } from './after-attempt.js';
import { agentId } from './testing.js';

const TANK = agentId('tank');
const ZEUS = agentId('zeus');

const SUCCEEDED: AttemptEnd = { kind: 'succeeded' };
const PAUSED: AttemptEnd = { kind: 'paused', before: 3 };
const CANCELLED: AttemptEnd = { kind: 'cancelled', at: 2 };
const HANDED_OVER: AttemptEnd = { kind: 'handed-over', before: 3, cause: 'asked', reason: 'drained' };
const FULL: AttemptEnd = { kind: 'handed-over', before: 3, cause: 'no-space', reason: 'full' };
const FAILED: AttemptEnd = { kind: 'failed', step: 2, outcome: { kind: 'exited', status: 1 } };
const OUTPUT: AttemptEnd = { kind: 'output', step: 2, reason: 'no such file' };
const WITHDRAWN: AttemptEnd = { kind: 'withdrawn', reason: 'drained' };

function fault(kind: InfrastructureFault): AttemptEnd {
  return { kind: 'infrastructure', fault: kind, at: null, reason: `fault ${kind}` };
}

function after(end: AttemptEnd, over: Partial<EndedJob> = {}): NextForJob {
  return afterAttempt(
    {
      retries: 0,
      avoid: [],
      wish: 'run',
      pauseIsPending: false,
      agent: TANK,
      agentRestarted: false,
      gotFurther: false,
      ...over,
    },
    end,
  );
}

describe('what becomes of a job', () => {
  it.each<[AttemptEnd, NextForJob['state'], NextForJob['state'], NextForJob['state']]>([
    //          wish: run       pause        cancel
    [SUCCEEDED, 'succeeded', 'succeeded', 'succeeded'],
    [PAUSED, 'waiting', 'paused', 'cancelled'],
    [CANCELLED, 'cancelled', 'cancelled', 'cancelled'],
    [HANDED_OVER, 'waiting', 'paused', 'cancelled'],
    [FULL, 'waiting', 'paused', 'cancelled'],
    [FAILED, 'failed', 'failed', 'cancelled'],
    [OUTPUT, 'failed', 'failed', 'cancelled'],
    [WITHDRAWN, 'waiting', 'paused', 'cancelled'],
    ...InfrastructureFault.options.map(
      (kind) =>
        [fault(kind), 'waiting', 'paused', 'cancelled'] as [AttemptEnd, 'waiting', 'paused', 'cancelled'],
    ),
  ])('%j: %s, %s when it is to pause, %s when it is to be cancelled', (end, run, pause, cancel) => {
    expect(after(end).state).toBe(run);
    expect(after(end, { wish: 'pause' }).state).toBe(pause);
    expect(after(end, { wish: 'cancel' }).state).toBe(cancel);
  });

  it('is tried again elsewhere after a fault of the infrastructure', () => {
    expect(after(fault('no-space'))).toEqual({
      state: 'waiting',
      retries: 1,
      avoid: [TANK],
      reason: 'fault no-space',
      blamesAgent: true,
    });
  });

  it('is given up after the second retry', () => {
    expect(after(fault('transfer'), { retries: MOST_RETRIES, avoid: [ZEUS] })).toMatchObject({
      state: 'failed',
      retries: MOST_RETRIES,
      avoid: [ZEUS, TANK],
      reason: 'fault transfer; given up after 2 retries',
    });
  });

  it('may go back to an agent that only restarted, which counts all the same', () => {
    expect(after(fault('lost'), { agentRestarted: true })).toMatchObject({
      state: 'waiting',
      retries: 1,
      avoid: [],
      blamesAgent: false,
    });
  });

  it('is not counted when the agent refused it, and goes elsewhere', () => {
    expect(after(fault('refused'), { retries: MOST_RETRIES })).toMatchObject({
      state: 'waiting',
      retries: MOST_RETRIES,
      avoid: [TANK],
      blamesAgent: false,
    });
  });

  it('is counted when the same agent refuses it again, so that no two of them play on for ever', () => {
    expect(after(fault('refused'), { avoid: [TANK] })).toMatchObject({
      retries: 1,
      avoid: [TANK],
      blamesAgent: false,
    });
    expect(after(fault('refused'), { avoid: [TANK], retries: MOST_RETRIES }).state).toBe('failed');
  });

  it('is not counted when it was to go elsewhere, and may come back', () => {
    expect(after(HANDED_OVER, { retries: MOST_RETRIES })).toEqual({
      state: 'waiting',
      retries: MOST_RETRIES,
      avoid: [],
      reason: 'drained',
      blamesAgent: false,
    });
  });

  it('is not counted when it got further before its agent was full', () => {
    expect(after(FULL, { retries: MOST_RETRIES, gotFurther: true })).toEqual({
      state: 'waiting',
      retries: MOST_RETRIES,
      avoid: [TANK],
      reason: 'full',
      blamesAgent: false,
    });
    expect(after(FULL)).toMatchObject({ state: 'waiting', retries: 1, avoid: [TANK] });
    expect(after(FULL, { retries: MOST_RETRIES })).toMatchObject({ state: 'failed' });
  });

  it('is not counted when it was taken back', () => {
    expect(after(WITHDRAWN, { retries: 1, avoid: [ZEUS] })).toMatchObject({ retries: 1, avoid: [ZEUS] });
  });

  it('is not counted when the agent’s host told it to stop, and may go back there', () => {
    expect(after(fault('stopped'), { retries: MOST_RETRIES })).toMatchObject({
      state: 'waiting',
      retries: MOST_RETRIES,
      avoid: [],
      blamesAgent: false,
    });
  });

  it('rests some time, whatever its agents do by themselves', () => {
    const ends = fc.constantFrom<AttemptEnd>(
      CANCELLED,
      FAILED,
      ...InfrastructureFault.options.filter((kind) => kind !== 'stopped').map(fault),
    );
    const tries = fc.array(fc.record({ end: ends, agent: fc.constantFrom(TANK, ZEUS) }), {
      minLength: 6,
      maxLength: 6,
    });
    fc.assert(
      fc.property(tries, fc.constantFrom(...Wish.options), (attempts, wish) => {
        let job = { retries: 0, avoid: [] as NextForJob['avoid'] };
        const rested = attempts.some(({ end, agent }) => {
          const next = after(end, { ...job, agent, wish });
          job = { retries: next.retries, avoid: next.avoid };
          return next.state !== 'waiting';
        });
        expect(rested).toBe(true);
      }),
    );
  });
});

describe('quarantineMs', () => {
  it.each([
    [0, 0],
    [2, 0],
    [3, 10_000],
    [4, 20_000],
    [5, 40_000],
    [11, 2_560_000],
    [12, 3_600_000],
    [5000, 3_600_000],
  ])('after %d failures in a row: %d ms', (failures, expected) => {
    expect(quarantineMs(failures)).toBe(expected);
  });
});

describe('a pause that comes when the build has been resumed', () => {
  it('is one all the same while the build is to pause before some step', () => {
    expect(after(PAUSED, { pauseIsPending: true }).state).toBe('paused');
  });
});
