import { describe, expect, it } from '@jest/globals';
import { TransferRate } from './transfer-rate.js';

describe('TransferRate', () => {
  it.each<[string, readonly (readonly [ms: number, bytes: number])[], number]>([
    ['nothing', [], 0],
    ['one look', [[0, 500]], 0],
    [
      'two',
      [
        [0, 0],
        [500, 1000],
      ],
      2000,
    ],
    [
      'what came long ago',
      [
        [0, 0],
        [1000, 900_000],
        [6000, 900_500],
        [7000, 900_600],
      ],
      100,
    ],
  ])('knows the rate after %s', (_, samples, expected) => {
    const rate = new TransferRate();
    for (const [ms, bytes] of samples) rate.note(bytes, ms);
    expect(rate.bytesPerSecond).toBe(expected);
  });
});
