import { describe, expect, it } from '@jest/globals';
import type { JobState } from '#libs/contracts';
import { isHeldByPause, readyJobs } from './ready-jobs.js';

/** Two boot archives, the assembly that needs both, and two media that need it: as examples/debian-live.xml is split. */
const NEEDS = [[], [], [0, 1], [2], [2]];

describe('readyJobs', () => {
  it.each<[readonly JobState[], readonly number[]]>([
    [
      ['blocked', 'blocked', 'blocked', 'blocked', 'blocked'],
      [0, 1],
    ],
    [['succeeded', 'running', 'blocked', 'blocked', 'blocked'], []],
    [['succeeded', 'succeeded', 'blocked', 'blocked', 'blocked'], [2]],
    [['succeeded', 'failed', 'blocked', 'blocked', 'blocked'], []],
    [
      ['succeeded', 'succeeded', 'succeeded', 'blocked', 'blocked'],
      [3, 4],
    ],
    [['succeeded', 'succeeded', 'succeeded', 'running', 'blocked'], [4]],
    [['succeeded', 'succeeded', 'succeeded', 'paused', 'cancelled'], []],
  ])('%j: %j', (states, expected) => {
    const jobs = states.map((state, index) => ({ index, state, needs: NEEDS[index]! }));
    expect(readyJobs(jobs).map(({ index }) => index)).toEqual(expected);
  });
});

describe('isHeldByPause', () => {
  it.each([
    ['nothing without a pause', 3, null, false],
    ['not a job that begins before the step', 2, 3, false],
    ['not the job that begins with the step: it makes the checkpoint', 3, 3, false],
    ['a job that begins behind it', 4, 3, true],
  ])('holds %s', (_, first, pauseIndex, expected) => {
    expect(isHeldByPause(first, pauseIndex)).toBe(expected);
  });
});
