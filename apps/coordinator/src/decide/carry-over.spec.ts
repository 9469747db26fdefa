import { describe, expect, it } from '@jest/globals';
import type { UsualFetch } from '#libs/store';
import { CarryOvers, DEFAULT_FETCH_MS, describeCarryOver, describeWeighing } from './carry-over.js';
import { placeJobs } from './place-jobs.js';
import type { CandidateAgent, PlacementInput } from './placement-input.js';
import { agentId, agentOf, inputOf, jobOf, MINUTE, NOW, type JobOver } from './testing.js';

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
function holding(
  held: Readonly<Record<string, number>>,
  fetch: UsualFetch = { ms: 2000, smallMs: 0, bytesPerSecond: null },
): Pick<PlacementInput, 'holders' | 'fetches'> {
  const counts = new Map(Object.entries(held).map(([name, count]) => [agentId(name), count]));
  return { holders: new Map([[JOB.wants.lineage, counts]]), fetches: new Map([['zfs', fetch]]) };
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

describe('both ways, weighed', () => {
  const RATE: UsualFetch = { ms: 6_000, smallMs: 100, bytesPerSecond: 10_000_000 };
  const [x, z] = [agentOf('x'), agentOf('z')];
  const quick = (...ms: readonly (number | null)[]): JobOver => ({
    done: ms.map((each, at) => ({ name: 'abc'[at]!, ms: each })),
    boundaryBytes: [0, 40e6, 40e6, 40e6],
  });
  const weighed = (
    over: JobOver,
    held: Readonly<Record<string, number>>,
    more: Partial<PlacementInput> = {},
  ): string | null => {
    const job = jobOf('j', over);
    const input = inputOf([job], [x, z], { ...holding(held, RATE), ...more });
    const weighing = new CarryOvers(input).weigh(job, x);
    return weighing === null ? null : describeWeighing(weighing, 'b-1');
  };

  it.each<[string, string | null, string | null]>([
    ['nothing, where the agent is as far', weighed(quick(1, 1, 1), { x: 4, z: 4 }), null],
    ['nothing, where nobody has anything', weighed(quick(1, 1, 1), {}), null],
    [
      'steps that are slow',
      weighed(quick(MINUTE, MINUTE, MINUTE), { z: 4 }),
      'fetches 4 checkpoints of build b-1 from z (120 MB at 10 MB/s, about 12 s) rather than running 3 steps (about 3 min)',
    ],
    [
      'steps that are quick',
      weighed(quick(500, 500, 500), { z: 4 }),
      'runs 3 steps (about 2 s) rather than fetching 4 checkpoints of build b-1 from z (120 MB at 10 MB/s, about 12 s)',
    ],
    [
      'one that is slow, in front of others',
      weighed(quick(MINUTE, 500, 500), { z: 4 }),
      'fetches 2 of 4 checkpoints of build b-1 from z (120 MB at 10 MB/s, about 12 s) and runs 2 steps (about 5 s together), rather than running 3 steps (about 61 s)',
    ],
    [
      'what is behind the agent’s own, without a measure of either',
      weighed({ ...quick(null, null, null), boundaryBytes: [] }, { x: 2, z: 4 }, { fetches: new Map() }),
      'fetches 2 checkpoints of build b-1 from z (about 10 s) rather than running 2 steps (nobody knows how long)',
    ],
  ])('is %s', (_, found, expected) => {
    expect(found).toBe(expected);
  });
});

describe('steps that are quicker than their checkpoints come', () => {
  const S = 1000;
  const SLOW: UsualFetch = { ms: 6 * S, smallMs: 100, bytesPerSecond: 10_000_000 };
  const QUICK: JobOver = { done: ['a', 'b', 'c'].map((name) => ({ name, ms: 500 })) };
  const [x, z] = [agentOf('x'), agentOf('z', { state: 'drained' })];
  const decide = (over: JobOver, more: Partial<PlacementInput> = {}): string => {
    const input = inputOf([jobOf('j', over)], [x, z], { ...holding({ z: 4 }, SLOW), ...more });
    const [placed] = placeJobs(input).placements;
    return placed === undefined ? 'waits' : `${placed.fetchUpTo ?? 'all'}: ${placed.reason}`;
  };
  const fetchesAll = (duration: string, saved: string): string =>
    `all: fetches 4 checkpoints from z (about ${duration}) instead of running 3 steps again (about ${saved})`;
  const base = (name: string, published = true, bytes: number | null = null): JobOver => ({
    ...QUICK,
    wants: { lineage: JOB.wants.lineage, base: { lineage: name, published, bytes } },
  });

  it.each<[string, JobOver, string]>([
    [
      'run again, by the usual time where no size is known',
      QUICK,
      '0: runs 3 steps again (about 2 s) rather than fetching 4 checkpoints (about 24 s)',
    ],
    [
      'run again, by size and rate',
      { ...QUICK, boundaryBytes: [0, 40e6, 60e6, 80e6] },
      '0: runs 3 steps again (about 2 s) rather than fetching 180 MB (about 18 s)',
    ],
    [
      'do not where little has to come',
      { ...QUICK, boundaryBytes: [0, 1e6, 1e6, 1e6] },
      fetchesAll('1 s', '2 s'),
    ],
    [
      'run again behind a slow one only',
      {
        done: [{ name: 'a', ms: MINUTE }, ...(QUICK.done ?? []).slice(1)],
        boundaryBytes: [0, 1e6, 40e6, 40e6],
      },
      '2: fetches 2 checkpoints from z (about 1 s) instead of running 1 step again (about 60 s), and runs 2 steps again (about 1 s) rather than fetching 80 MB (about 8 s)',
    ],
    [
      'do not when nobody knows how long they take',
      { done: (QUICK.done ?? []).map(({ name }) => ({ name, ms: null })) },
      fetchesAll('24 s', '1 s'),
    ],
    ['do not in front of the step that a person named', { ...QUICK, ordered: 3 }, fetchesAll('24 s', '2 s')],
    ['do not when they are all that the job has', { ...QUICK, isComplete: true }, fetchesAll('24 s', '2 s')],
    [
      'run again from the start where the agent holds what the job goes on from',
      base('held'),
      '0: runs 3 steps again (about 2 s) rather than fetching 4 checkpoints (about 24 s)',
    ],
    [
      'run again behind the first checkpoint, where what the job goes on from has to come in any case',
      base('published', true, 500e6),
      '1: fetches 1 checkpoint from z (about 50 s), and runs 3 steps again (about 2 s) rather than fetching 3 checkpoints (about 18 s)',
    ],
  ])('%s', (_, over, expected) => {
    const holders = new Map([...holding({ z: 4 }).holders, ['held', new Map([[x.id, 1]])]]);
    expect(decide(over, { holders })).toBe(expected);
  });

  it('do not before anything was measured', () => {
    expect(decide(QUICK, { fetches: new Map() })).toBe(fetchesAll('20 s', '2 s'));
  });

  it('are no reason to wait for the agent that has them', () => {
    const agents = [x, agentOf('z', { slots: 1, running: 1 })];
    expect(decide(QUICK, { agents })).toMatch(/^0: runs 3 steps again/);
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
