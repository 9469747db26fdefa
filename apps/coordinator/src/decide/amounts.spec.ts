import { describe, expect, it } from '@jest/globals';
import { counted, humanSize, listed } from './amounts.js';

describe('humanSize', () => {
  it.each([
    [0, '0 bytes'],
    [999, '999 bytes'],
    [1000, '1.0 kB'],
    [9949, '9.9 kB'],
    [9951, '10 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [3_200_000_000, '3.2 GB'],
    [48_000_000, '48 MB'],
    [2e18, '2000 PB'],
  ])('%d is %s', (bytes, expected) => {
    expect(humanSize(bytes)).toBe(expected);
  });
});

describe('counted', () => {
  it.each([
    [0, '0 jobs'],
    [1, '1 job'],
    [2, '2 jobs'],
  ])('%d is %s', (count, expected) => {
    expect(counted(count, 'job')).toBe(expected);
  });
});

describe('listed', () => {
  it.each([
    [[], ''],
    [['a'], 'a'],
    [['a', 'b'], 'a and b'],
    [['a', 'b', 'c'], 'a, b and c'],
  ])('%j is "%s"', (words, expected) => {
    expect(listed(words)).toBe(expected);
  });
});
