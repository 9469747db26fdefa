import { describe, expect, it } from '@jest/globals';
import { retryDelays } from './retry-delays.js';

const first = (count: number, random: () => number) => {
  const delays = retryDelays({ firstMs: 100, maxMs: 500, random });
  return Array.from({ length: count }, () => delays.next().value);
};

describe('retryDelays', () => {
  it('doubles its bound up to the cap', () => {
    expect(first(5, () => 0.999)).toEqual([99, 199, 399, 499, 499]);
  });
  it('may wait not at all: full jitter', () => {
    expect(first(3, () => 0)).toEqual([0, 0, 0]);
  });
});
