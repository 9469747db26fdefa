import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { runAgainFrom, type WayOn } from './fetch-or-run-again.js';

const S = 1_000;

/** Four boundaries in front of and behind three finished steps, all of them elsewhere, 5 s each to fetch. */
function wayOf(stepMs: readonly (number | null)[], over: Partial<WayOn> = {}): WayOn {
  return { here: 0, there: 4, fetchMs: () => 5 * S, stepMs, beginMs: 0, ordered: 0, ...over };
}

describe('running steps again instead of fetching what they made', () => {
  it.each<[string, WayOn, ReturnType<typeof runAgainFrom>]>([
    [
      'is done where the steps are quick',
      wayOf([200, 100, 200]),
      { from: 0, steps: 3, ms: 500, checkpoints: 4, fetchMs: 20 * S },
    ],
    ['is not where they are slow', wayOf([60 * S, 60 * S, 60 * S]), null],
    [
      'is done for the last ones only, behind a slow one',
      wayOf([60 * S, 100, 200]),
      { from: 2, steps: 2, ms: 300, checkpoints: 2, fetchMs: 10 * S },
    ],
    ['is not for the first ones only: what comes behind them comes with them', wayOf([0, 0, 60 * S]), null],
    [
      'counts from what is here',
      wayOf([60 * S, 100, 200], { here: 2 }),
      { from: 2, steps: 2, ms: 300, checkpoints: 2, fetchMs: 10 * S },
    ],
    ['is not where all is here', wayOf([1, 1, 1], { here: 4 }), null],
    ['is not where more is here than there', wayOf([1, 1, 1], { here: 4, there: 2 }), null],
    ['is not for steps of which nobody knows how long they take', wayOf([100, 100, null]), null],
    [
      'ends behind such a step',
      wayOf([100, null, 100]),
      { from: 3, steps: 1, ms: 100, checkpoints: 1, fetchMs: 5 * S },
    ],
    [
      'begins with the first checkpoint where the job cannot begin here without it',
      wayOf([200, 100, 200], { beginMs: null }),
      { from: 1, steps: 3, ms: 500, checkpoints: 3, fetchMs: 15 * S },
    ],
    [
      'does so too where what it begins with takes longer',
      wayOf([200, 100, 200], { beginMs: 6 * S }),
      { from: 1, steps: 3, ms: 500, checkpoints: 3, fetchMs: 15 * S },
    ],
    [
      'makes no difference for what has to be fetched anyhow',
      wayOf([200, 100, 200], {
        beginMs: 60 * S,
        fetchMs: (position) => (position === 1 ? 60 * S : 5 * S),
      }),
      { from: 1, steps: 3, ms: 500, checkpoints: 3, fetchMs: 15 * S },
    ],
    [
      'leaves steps alone in front of the one that a person named',
      wayOf([100, 100, 100], { ordered: 2 }),
      { from: 3, steps: 1, ms: 100, checkpoints: 1, fetchMs: 5 * S },
    ],
    ['is not when that is where it stopped', wayOf([100, 100, 100], { ordered: 3 }), null],
    ['is not for a second or two', wayOf([0, 0, 0], { fetchMs: () => 700 }), null],
    ['is not when it takes nearly as long', wayOf([20 * S, 20 * S, 20 * S], { fetchMs: () => 20 * S }), null],
  ])('%s', (_, way, expected) => {
    expect(runAgainFrom(way)).toEqual(expected);
  });

  it('never takes longer than fetching all of it, and never begins behind what is there', () => {
    const ms = fc.integer({ min: 0, max: 100 * S });
    fc.assert(
      fc.property(
        fc.array(fc.option(ms), { maxLength: 6 }),
        fc.array(ms, { minLength: 8, maxLength: 8 }),
        fc.nat(7),
        fc.option(ms),
        fc.nat(6),
        (stepMs, fetches, here, beginMs, ordered) => {
          const there = stepMs.length + 1;
          const way = { here, there, fetchMs: (at: number) => fetches[at - 1]!, stepMs, beginMs, ordered };
          const again = runAgainFrom(way);
          if (again === null) return;
          expect(again.ms).toBeLessThan(again.fetchMs);
          expect(again.from).toBeGreaterThanOrEqual(here);
          expect(again.from).toBeLessThan(there);
          expect(again.steps).toBe(stepMs.slice(Math.max(0, again.from - 1)).length);
        },
      ),
    );
  });
});
