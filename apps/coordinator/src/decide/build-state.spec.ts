import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { JobState, Wish, type BuildState } from '#libs/contracts';
import { buildStateOf, isAtRest } from './build-state.js';

function countsOf(jobs: readonly JobState[]): ReadonlyMap<JobState, number> {
  const counts = new Map<JobState, number>();
  for (const state of jobs) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

function stateOf(jobs: readonly JobState[], wish: Wish = 'run'): BuildState {
  return buildStateOf(countsOf(jobs), wish);
}

describe('buildStateOf', () => {
  it.each<[readonly JobState[], Wish, BuildState]>([
    [['blocked', 'running'], 'run', 'running'],
    [['failed', 'assigned'], 'run', 'running'],
    [['running', 'cancelled'], 'cancel', 'running'],
    [['running', 'paused'], 'pause', 'running'],
    [['waiting', 'blocked'], 'run', 'waiting'],
    [['waiting', 'failed'], 'run', 'waiting'],
    [['waiting', 'paused'], 'run', 'waiting'],
    [['succeeded', 'blocked'], 'run', 'waiting'],
    [['waiting', 'blocked'], 'pause', 'paused'],
    [['succeeded', 'succeeded'], 'run', 'succeeded'],
    [['succeeded', 'succeeded'], 'cancel', 'succeeded'],
    [['succeeded', 'cancelled'], 'cancel', 'cancelled'],
    [['failed', 'cancelled'], 'cancel', 'cancelled'],
    [['failed', 'blocked'], 'run', 'failed'],
    [['failed', 'paused', 'cancelled'], 'run', 'failed'],
    [['paused', 'cancelled'], 'run', 'cancelled'],
    [['paused', 'blocked', 'succeeded'], 'run', 'paused'],
  ])('%j with wish %s is %s', (jobs, wish, expected) => {
    expect(stateOf(jobs, wish)).toBe(expected);
  });

  it.each<[readonly JobState[], readonly JobState[], Wish, BuildState]>([
    [['succeeded'], ['failed', 'blocked'], 'run', 'succeeded'],
    [['running'], ['failed'], 'run', 'running'],
    [['succeeded'], ['failed', 'running'], 'run', 'running'],
    [['succeeded'], ['failed', 'waiting'], 'run', 'waiting'],
    [['failed'], ['failed'], 'run', 'failed'],
    [['paused'], ['failed', 'paused'], 'run', 'paused'],
    [['cancelled', 'succeeded'], ['failed'], 'cancel', 'cancelled'],
    [['succeeded'], ['failed', 'cancelled'], 'cancel', 'succeeded'],
    [[], ['failed', 'succeeded'], 'run', 'failed'],
  ])(
    '%j, beside %j of optional variants that failed, with wish %s is %s',
    (binding, others, wish, expected) => {
      expect(buildStateOf(countsOf([...binding, ...others]), wish, countsOf(binding))).toBe(expected);
    },
  );

  it('takes a count of none for none', () => {
    expect(
      buildStateOf(
        new Map([
          ['running', 0],
          ['succeeded', 2],
        ]),
        'run',
      ),
    ).toBe('succeeded');
  });

  it('is at rest only when no job is with an agent or could go to one', () => {
    const jobs = fc.array(fc.constantFrom(...JobState.options), { minLength: 1 });
    fc.assert(
      fc.property(jobs, fc.constantFrom(...Wish.options), (states, wish) => {
        if (!isAtRest(stateOf(states, wish))) return;
        expect(states).not.toContain('running');
        expect(states).not.toContain('assigned');
        if (wish === 'run') expect(states).not.toContain('waiting');
      }),
    );
  });
});
