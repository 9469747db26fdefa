import { expect, it } from '@jest/globals';
import { planMix } from './plan-mix.js';
import { Random } from './random.js';

const NAMES = ['a', 'b', 'c'];
const SIZE = { builds: 4, faults: 7, withinMs: 1000 };

it('plans the same for the same seed, and something else for another', () => {
  const [first, again, other] = ['1', '1', '2'].map((seed) => planMix(new Random(seed), NAMES, SIZE));
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
});

it('gives each fault its turn, in the order of time, with a seed of its own', () => {
  const { faults, submitEveryMs } = planMix(new Random('1'), NAMES, SIZE);
  expect(
    faults
      .map(({ fault }) => fault)
      .toSorted()
      .join(''),
  ).toMatch(/^a{2,3}b{2,3}c{2,3}$/);
  const times = faults.map(({ afterMs }) => afterMs);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(new Set(faults.map(({ seed }) => seed)).size).toBe(7);
  expect(submitEveryMs).toBe(250);
});
