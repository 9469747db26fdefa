import { describe, expect, it } from '@jest/globals';
import { keysToDrop } from './drop-keys.js';

/** `needs` of the jobs in their order: `- 0 0,1`. */
function dropped(needs: string, job: number, position: number): string {
  const jobs = needs.split(' ').map((each, index) => ({
    index,
    needs: each === '-' ? [] : each.split(',').map(Number),
  }));
  // Rows come in any order.
  const found = keysToDrop(jobs.toReversed(), { job, position });
  return [...found]
    .toSorted(([a], [b]) => a - b)
    .map((each) => each.join('@'))
    .join(' ');
}

describe('keysToDrop', () => {
  it.each([
    ['a job alone, from the boundary on', '-', 0, 3, '0@3'],
    ['one that goes on from it, as a whole', '- 0', 0, 3, '0@3 1@1'],
    ['not what it goes on from', '- 0', 1, 2, '1@2'],
    ['a lane that is beside it is left alone', '- -', 0, 2, '0@2'],
    ['what two lanes join in', '- - 0,1 2', 1, 2, '1@2 2@1 3@1'],
    ['a lane that forks from the same job is not behind its sister', '- 0 0 1', 1, 2, '1@2 3@1'],
    ['over several jobs', '- 0 1 2', 0, 9, '0@9 1@1 2@1 3@1'],
  ])('%s', (_, needs, job, position, expected) => {
    expect(dropped(needs, job, position)).toBe(expected);
  });
});
