import { describe, expect, it } from '@jest/globals';
import { formatBytes } from './byte-count.js';
import { formatDuration, parseDuration } from './durations.js';

describe('parseDuration', () => {
  it.each([
    ['90', 90_000],
    ['45s', 45_000],
    ['10m', 600_000],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
    ['1w', 604_800_000],
    ['0', 0],
    ['', null],
    ['h', null],
    ['10 m', null],
    ['-5m', null],
    ['1.5h', null],
    ['99999999999', null],
  ])('%j is %j ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0.0s'],
    [-5, '0.0s'],
    [420, '0.4s'],
    [9949, '9.9s'],
    [9950, '10s'],
    [59_400, '59s'],
    [59_600, '1m00s'],
    [185_000, '3m05s'],
    [3_720_000, '1h02m'],
    [273_600_000, '3d04h'],
  ])('%d ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [999_949, '999.9 kB'],
    [999_950, '1.0 MB'],
    [735_200_000, '735.2 MB'],
    [3_200_000_000, '3.2 GB'],
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});
