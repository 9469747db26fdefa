import { describe, expect, it } from '@jest/globals';
import type { AttemptId } from '#libs/contracts';
import { expiredAttempts, watchOn, type Watch } from './lease-policy.js';

const LEASE_MS = 75_000;
const NOW = 1_800_000_000_000;

function expired(leaseUntil: number | null, upFor: number): boolean {
  const attempt = { id: 't-0000000000' as AttemptId, leaseUntil };
  return expiredAttempts([attempt], NOW, NOW - upFor, LEASE_MS).includes(attempt);
}

describe('expiredAttempts', () => {
  it.each([
    ['a lease that has run out', NOW - 1, LEASE_MS, true],
    ['a lease that runs out now', NOW, LEASE_MS, true],
    ['a lease that still runs', NOW + 1, LEASE_MS, false],
    ['an attempt without a lease', null, LEASE_MS, false],
    ['a lease that ran out while no coordinator was there', NOW - 10 * LEASE_MS, 0, false],
    [
      'the same, just before the coordinator has watched for a lease',
      NOW - 10 * LEASE_MS,
      LEASE_MS - 1,
      false,
    ],
    ['the same, when the clock was set back since the start', NOW - 10 * LEASE_MS, -LEASE_MS, false],
  ])('%s', (_, leaseUntil, upFor, expected) => {
    expect(expired(leaseUntil, upFor)).toBe(expected);
  });
});

describe('watchOn', () => {
  const before: Watch = { dutySince: NOW - 1e9, since: NOW - 1e6, wallMs: NOW, monotonicMs: 500 };
  const look = (wallMs: number, monotonicMs: number, dutySince = before.dutySince): number =>
    watchOn(before, { dutySince, wallMs, monotonicMs }, LEASE_MS).since;

  it('begins with the duty', () => {
    expect(watchOn(null, { dutySince: NOW - 7, wallMs: NOW, monotonicMs: 0 }, LEASE_MS).since).toBe(NOW - 7);
    expect(look(NOW + 5_000, 5_500, NOW)).toBe(NOW);
  });

  it.each([
    ['goes on while both clocks agree', 5_000, 5_000, before.since],
    ['goes on however long nobody looked', 10 * LEASE_MS, 10 * LEASE_MS, before.since],
    ['goes on when the wall clock is led a little', 5_400, 5_000, before.since],
    ['begins anew when the wall clock was set ahead', 5_000 + LEASE_MS, 5_000, NOW + 5_000 + LEASE_MS],
    ['begins anew when it was set back', 5_000 - LEASE_MS, 5_000, NOW + 5_000 - LEASE_MS],
  ])('%s', (_, wallMs, monotonicMs, expected) => {
    expect(look(NOW + wallMs, 500 + monotonicMs)).toBe(expected);
  });
});
