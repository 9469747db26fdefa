import { describe, expect, it } from '@jest/globals';
import { describeFate, describeSum, sumLine, type FatedStep } from './step-fates.js';

const runs = (usualMs: number | null = null, why = ''): FatedStep => ({
  fate: 'runs',
  of: null,
  why,
  usualMs,
});
const reused: FatedStep = { fate: 'reused', of: 'b-1', why: '', usualMs: 60_000 };

describe('what becomes of a planned step', () => {
  it.each([
    [reused, 'as in b-1'],
    [{ ...reused, fate: 'shared', of: 'de' } as const, 'with variant de'],
    [runs(90_000, '`packages` gained "vim"'), 'usually 1m30s; `packages` gained "vim"'],
    [runs(90_000), 'usually 1m30s'],
    [runs(), ''],
  ])('%j is said as %j', (step, words) => {
    expect(describeFate(step)).toBe(words);
  });

  it.each([
    [[runs(60_000), reused], '1 of 2 steps run, usually 1m00s of work'],
    [[runs(60_000), runs()], 'all 2 steps run, usually 1m00s of work'],
    [[reused], '0 of 1 steps run'],
  ])('%j comes to %j', (steps, words) => {
    expect(describeSum(steps)).toBe(words);
  });

  it('needs no sum on a terminal where everything runs', () => {
    expect(sumLine([runs(1), runs(2)])).toEqual([]);
    expect(sumLine([runs(60_000), reused])).toEqual(['1 of 2 steps run, usually 1m00s of work']);
  });
});
