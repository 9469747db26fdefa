import { describe, expect, it } from '@jest/globals';
import { CarryOvers, DEFAULT_FETCH_MS, describeCarryOver } from './carry-over.js';
import { placeJobs } from './place-jobs.js';
import type { CandidateAgent, PlacementInput } from './placement-input.js';
import { agentId, agentOf, inputOf, jobOf, MINUTE, NOW } from './testing.js';

const JOB = jobOf('j', {
  done: [
    { name: 'a', ms: MINUTE },
    { name: 'b', ms: 2 * MINUTE },
    { name: 'c', ms: 3 * MINUTE },
  ],
});
const of = (store: 'zfs' | 'btrfs', name: string): CandidateAgent['peer'] => ({
  ...agentOf(name).peer,
  store,
});

/** Boundaries of JOB that agents hold: 4 is all there are behind its three steps. */
function holding(held: Readonly<Record<string, number>>): Pick<PlacementInput, 'holders' | 'fetchMs'> {
  const counts = new Map(Object.entries(held).map(([name, count]) => [agentId(name), count]));
  return { holders: new Map([[JOB.wants.lineage, counts]]), fetchMs: new Map([['zfs', 2000]]) };
}

describe('what an agent would have to do first', () => {
  it.each<[string, Readonly<Record<string, number>>, readonly CandidateAgent[], object]>([
    ['nothing where it holds all', { x: 4 }, [agentOf('x')], { costMs: 0, fetched: 0, repeated: 0 }],
    ['all of it again where nobody holds anything', {}, [agentOf('x')], { costMs: 6 * MINUTE, repeated: 3 }],
    [
      'fetching from whoever is furthest',
      { y: 3, z: 4 },
      [agentOf('x'), agentOf('y'), agentOf('z')],
      { fetched: 4, from: { name: 'z' }, fetchMs: 8000, costMs: 8000, savedSteps: 3, savedMs: 6 * MINUTE },
    ],
    [
      'what it lacks only',
      { x: 2, z: 4 },
      [agentOf('x'), agentOf('z')],
      { fetched: 2, costMs: 4000, savedSteps: 2, savedMs: 5 * MINUTE },
    ],
    [
      'the steps behind the furthest that can be had',
      { y: 3, z: 4 },
      [agentOf('x'), agentOf('y', { state: 'drained' }), agentOf('z', { state: 'lost' })],
      { fetched: 3, from: { name: 'y' }, repeated: 1, repeatMs: 3 * MINUTE, costMs: 6000 + 3 * MINUTE },
    ],
    [
      'everything that only another family holds',
      { z: 4 },
      [agentOf('x'), agentOf('z', { peer: of('btrfs', 'z') })],
      { fetched: 0, from: null, repeated: 3 },
    ],
    [
      'fetching in what is stated as usual where nothing was moved yet',
      { z: 4 },
      [agentOf('x', { peer: of('btrfs', 'x') }), agentOf('z', { peer: of('btrfs', 'z') })],
      { costMs: 4 * DEFAULT_FETCH_MS },
    ],
  ])('is %s', (_, held, agents, expected) => {
    const [asked] = agents;
    expect(new CarryOvers(inputOf([JOB], agents, holding(held))).of(JOB, asked!)).toMatchObject(expected);
  });

  it.each<[string, Readonly<Record<string, number>>, CandidateAgent, string | null]>([
    ['nothing', { z: 4 }, agentOf('z'), null],
    [
      'whose checkpoint is out of reach',
      { y: 3, z: 4 },
      agentOf('z', { state: 'lost' }),
      'the newest checkpoint is out of reach, on agent z, which is gone: it goes on from an earlier one, and c runs again',
    ],
    [
      'that nobody has it any more',
      {},
      agentOf('z'),
      'no agent holds the newest checkpoint any more: it begins anew, and a, b and c run again',
    ],
  ])('warns of %s', (_, held, z, text) => {
    const x = agentOf('x');
    const input = inputOf([JOB], [x, agentOf('y'), z], holding(held));
    expect(new CarryOvers(input).lossOf(JOB, x)).toBe(text);
  });
});

describe('a job that has finished steps', () => {
  const place = (agents: readonly CandidateAgent[], held: Readonly<Record<string, number>>, now = NOW) => {
    const result = placeJobs(inputOf([JOB], agents, { ...holding(held), now }));
    const [placement] = result.placements;
    return placement === undefined
      ? result.waiting.get(JOB.id)
      : `${placement.agent.slice(2)}: ${placement.reason}`;
  };
  const busy = { slots: 1, running: 1 };

  it('goes where it is soonest as far as it was', () => {
    expect(place([agentOf('x'), agentOf('z')], { z: 4 })).toBe('z: holds the newest checkpoint of the job');
    expect(
      place([agentOf('x', { peer: of('btrfs', 'x') }), agentOf('y'), agentOf('z', busy)], { z: 4 }),
    ).toBe('y: fetches 4 checkpoints from z (about 8 s) instead of running 3 steps again (about 6 min)');
  });

  const x = agentOf('x', { peer: of('btrfs', 'x') });
  it('waits for an agent that is busy as long as moving would cost more, and moves then', () => {
    expect(place([x, agentOf('z', busy)], { z: 4 }, NOW + 6 * MINUTE - 1)).toBe(
      'waits for agent z, which is busy and nearer to its newest checkpoint, until 08:06:00 UTC; then goes to one that runs 3 steps again (about 6 min)',
    );
    expect(place([x, agentOf('z', busy)], { z: 4 }, NOW + 6 * MINUTE)).toBe(
      'x: runs 3 steps again (about 6 min)',
    );
  });

  it.each<[string, Partial<CandidateAgent>]>([
    ['drained', { ...busy, state: 'drained' }],
    ['lost', { ...busy, state: 'lost' }],
    ['full', { ...busy, freeBytes: 0 }],
  ])('does not wait for an agent that is %s', (_, over) => {
    expect(place([x, agentOf('z', over)], { z: 4 })).toBe('x: runs 3 steps again (about 6 min)');
  });

  it('is described as what it does', () => {
    const input = inputOf(
      [JOB],
      [agentOf('x'), agentOf('y'), agentOf('z', { state: 'lost' })],
      holding({ y: 2, z: 4 }),
    );
    expect(describeCarryOver(new CarryOvers(input).of(JOB, input.agents[0]!))).toBe(
      'fetches 2 checkpoints from y (about 4 s) instead of running 1 step again (about 60 s), and runs 2 steps again (about 5 min)',
    );
  });
});
