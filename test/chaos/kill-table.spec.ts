import { expect, it } from '@jest/globals';
import { killList, killTable, missedPlaces } from './kill-table.js';
import type { KillOutcome } from './run-kills.js';

const outcome = (moment: string, at: string, change: Partial<KillOutcome> = {}): KillOutcome => ({
  kill: { moment, at, program: 'agent0', build: 'b-1', job: 'j-1', attempt: 't-1', wall: 1 },
  wentOnBy: 'itself',
  ranAgain: [],
  goesOnMs: 200,
  isWhole: true,
  ...change,
});

it('has a line for each moment, with what came of all that were killed then', () => {
  const outcomes = [
    outcome('in it', 'a', { ranAgain: ['a'] }),
    outcome('in it', 'b', { wentOnBy: 'another', ranAgain: ['a', 'b'], goesOnMs: 7_000 }),
    outcome('behind it', 'a', { wentOnBy: null, goesOnMs: null, isWhole: false }),
  ];
  expect(killTable(outcomes).split('\n').slice(2)).toEqual([
    '| in it | 2 | 1 | 1 | 2 | 2 | 7.0 s |',
    '| behind it | 1 | 0 | 0 | 0 | 0 | 0.0 s |',
  ]);
  expect(killList(outcomes)).toContain('behind it: a: nothing to go on with, no step again, NOT WHOLE');
});

it('names the places that nobody was killed at', () => {
  expect(missedPlaces([])).toContain('in the middle of the step: pop');
  expect(missedPlaces([{ moment: 'in the middle of the step', at: 'pop' }])).not.toContain(
    'in the middle of the step: pop',
  );
  expect(missedPlaces([])).toContain('before it notes checkpoint-taken: 0 of 11 checkpoints');
});
