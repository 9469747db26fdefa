import { describe, expect, it } from '@jest/globals';
import type { AttemptId } from '#libs/contracts';
import { expiredAttempts } from './lease-policy.js';

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
