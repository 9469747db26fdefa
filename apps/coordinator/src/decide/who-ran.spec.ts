import { describe, expect, it } from '@jest/globals';
import type { AttemptId } from '#libs/contracts';
import { whoRan, type StepTry } from './who-ran.js';

const OK = { kind: 'succeeded' } as const;
const FAILED = { kind: 'exited', status: 1 } as const;

function tryOf(name: string, claimedAt: number | null, of: Partial<StepTry> = {}): StepTry {
  return { attempt: name as AttemptId, claimedAt, startedAt: null, endedAt: null, outcome: null, ...of };
}

describe('who ran a step whose checkpoint was taken at 500', () => {
  it.each<[string, readonly StepTry[], string | null]>([
    ['the only one', [tryOf('one', 100, { startedAt: 110, endedAt: 500, outcome: OK })], 'one'],
    [
      'the one that was cut off, not the one that began after it',
      [tryOf('cut off', 100, { startedAt: 110 }), tryOf('after', 700, { startedAt: 710 })],
      'cut off',
    ],
    [
      'the one that was cut off, not the one that ended it after it',
      [tryOf('cut off', 100), tryOf('after', 700, { startedAt: 710, endedAt: 800, outcome: OK })],
      'cut off',
    ],
    [
      'the one that came after one that was lost in it',
      [tryOf('lost', 100, { startedAt: 110 }), tryOf('unheard', 300)],
      'unheard',
    ],
    [
      'the one that did it again after one that had done it',
      [tryOf('first', 100, { startedAt: 110, endedAt: 120, outcome: OK }), tryOf('again', 300)],
      'again',
    ],
    [
      'not the one in which it failed',
      [tryOf('well', 100), tryOf('failed', 300, { startedAt: 310, endedAt: 400, outcome: FAILED })],
      'well',
    ],
    ['nobody who had it only then', [tryOf('after', 700), tryOf('never', null)], null],
  ])('%s', (_, tries, expected) => {
    expect(whoRan(tries, 500)?.attempt ?? null).toBe(expected);
  });
});
