import { newId } from '#libs/contracts';
import { describe, expect, it } from '@jest/globals';
import { grantedAtMs, heartbeatTimeoutMs, newsOf, nextHeartbeatMs, runOut } from './lease-decisions.js';

const [ONE, TWO] = [newId('t'), newId('t')];

describe('runOut', () => {
  const leases = [
    { attempt: ONE, renewedAtMs: 1_000 },
    { attempt: TWO, renewedAtMs: 5_000 },
  ];
  it.each([
    ['none in time', 5_999, []],
    ['one at its very end', 6_000, [ONE]],
    ['all long after', 60_000, [ONE, TWO]],
  ])('finds %s', (_, now, expected) => {
    expect(runOut(leases, now, 5_000)).toEqual(expected);
  });
});

describe('newsOf', () => {
  const lease = (granted: boolean): Parameters<typeof newsOf>[1] => ({
    leases: [{ attempt: ONE, granted, wish: 'pause', pauseBefore: 'iso', handOver: 'drained' }],
  });
  it('passes on what is wanted of a lease that was renewed', () => {
    expect(newsOf(ONE, lease(true))).toEqual({
      kind: 'renewed',
      wish: 'pause',
      pauseBefore: 'iso',
      handOver: 'drained',
    });
  });
  it('knows one that was taken', () => expect(newsOf(ONE, lease(false))).toEqual({ kind: 'taken' }));
  it('renews nothing that the answer does not name', () =>
    expect(newsOf(TWO, lease(true))).toEqual({ kind: 'unanswered' }));
});

describe('times of a heartbeat', () => {
  it('spreads by a fifth to both sides', () => {
    expect([0, 0.5, 0.999999].map((random) => nextHeartbeatMs(1000, random))).toEqual([800, 1000, 1200]);
  });
  it('gives up a call while there is time for another', () => {
    expect(heartbeatTimeoutMs(10_000, 60_000)).toBe(10_000);
    expect(heartbeatTimeoutMs(200, 1_000)).toBe(333);
  });
});

describe('grantedAtMs', () => {
  it('is no later than the coordinator counts from, however long the answer was on its way', () => {
    // Asked at 1000; the coordinator had something after 4 s.
    expect(grantedAtMs(1_000, 4_000, 5_010)).toBe(5_000);
    expect(grantedAtMs(1_000, 4_000, 36_000)).toBe(5_000);
    expect(grantedAtMs(1_000, 0, 9_000)).toBe(1_000);
  });

  it('is never in the future, should the coordinator’s clock have jumped', () => {
    expect(grantedAtMs(1_000, 3_600_000, 5_000)).toBe(5_000);
  });
});
