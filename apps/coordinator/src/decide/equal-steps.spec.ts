import { describe, expect, it } from '@jest/globals';
import { nextKey } from './next-key.js';
import { placeJobs } from './place-jobs.js';
import type { PlacementInput, UnderWay } from './placement-input.js';
import { agentOf, inputOf, jobId, jobOf, type JobOver } from './testing.js';

/** Who is placed, in order; then who waits for whom. */
function outcome(jobs: Record<string, JobOver>, over: Partial<PlacementInput> = {}): readonly string[] {
  const all = Object.entries(jobs).map(([name, job]) => jobOf(name, job));
  const { placements, waiting } = placeJobs(inputOf(all, [agentOf('tank', { slots: 99 })], over));
  const placed = placements.map(({ job }) => job.slice(2));
  const held = Object.keys(jobs).flatMap((name) => {
    const reason = waiting.get(jobId(name));
    return reason === undefined ? [] : [`${name} ${reason}`];
  });
  return [...placed, ...held];
}

const underWay = (key: string, isTrusted: boolean): UnderWay => {
  const maker = new Map([[key, 'build b-x, variant de']]);
  return { all: maker, trusted: isTrusted ? maker : new Map() };
};

describe('jobs whose next step is the same', () => {
  it.each<[string, Record<string, JobOver>, Partial<PlacementInput>, readonly string[]]>([
    [
      'are placed one at a time',
      { a: { nextKey: 'k' }, b: { nextKey: 'k' }, c: { nextKey: 'other' } },
      {},
      ['a', 'c', 'b waits for build b-a, whose next step is the same'],
    ],
    ['are placed each, where nobody knows that they are', { a: { nextKey: null }, b: {} }, {}, ['a', 'b']],
    [
      'wait for the one that an agent has',
      { a: { nextKey: 'k' } },
      { underWay: underWay('k', false) },
      ['a waits for build b-x, variant de, whose next step is the same'],
    ],
    [
      'do not wait for an untrusted one when they are trusted',
      { a: { nextKey: 'k', isTrusted: true } },
      { underWay: underWay('k', false) },
      ['a'],
    ],
    [
      'wait for a trusted one, trusted or not',
      { a: { nextKey: 'k', isTrusted: true }, b: { nextKey: 'k' } },
      { underWay: underWay('k', true) },
      [
        'a waits for build b-x, variant de, whose next step is the same',
        'b waits for build b-x, variant de, whose next step is the same',
      ],
    ],
    [
      'are both placed when the first is untrusted and the second is not',
      { a: { nextKey: 'k' }, b: { nextKey: 'k', isTrusted: true } },
      {},
      ['a', 'b'],
    ],
    [
      'go on when the first of them cannot be placed',
      { a: { nextKey: 'k', requires: { architecture: 'arm64' } }, b: { nextKey: 'k' } },
      {},
      ['b', 'a 0 of 1 agents match: 1 wrong architecture'],
    ],
  ])('%s', (_, jobs, over, expected) => {
    expect(outcome(jobs, over)).toEqual(expected);
  });
});

describe('nextKey', () => {
  const keys = [1, 2, 3].map((position) => ({ position, key: `k${position}` }));
  it.each([
    ['behind the first step when nothing is held', 0, 'k2'],
    ['the same when only the start is', 1, 'k2'],
    ['behind what is held', 2, 'k3'],
    ['nothing behind the end', 3, null],
  ])('is %s', (_, held, expected) => {
    expect(nextKey(keys, held)).toBe(expected);
  });

  it('is nothing where nobody knows', () => {
    expect(nextKey([{ position: 1, key: 'k1' }], 1)).toBeNull();
  });
});
