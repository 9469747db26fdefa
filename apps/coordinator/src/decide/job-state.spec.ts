import { describe, expect, it } from '@jest/globals';
import { JobState } from '#libs/contracts';
import { nextJobState, type JobEvent } from './job-state.js';

const STATES = JobState.options;

/** Per event, in the order of `STATES`: where each state goes; `-` is refused. */
const TABLE: readonly (readonly [JobEvent, string])[] = [
  //            blocked   waiting   assigned  running   paused    succeeded failed    cancelled
  ['unblock', ' waiting   -         -         -         -         -         -         -        '],
  ['block', '   -         blocked   -         -         blocked   blocked   blocked   blocked  '],
  ['place', '   -         assigned  -         -         -         -         -         -        '],
  ['claim', '   -         -         running   -         -         -         -         -        '],
  ['withdraw', '-         -         waiting   -         -         -         -         -        '],
  ['pause', '   paused    paused    -         -         -         -         -         -        '],
  ['resume', '  -         -         -         -         waiting   waiting   waiting   waiting  '],
  ['cancel', '  cancelled cancelled -         -         cancelled -         -         -        '],
  [{ end: 'succeeded' }, '- -       -         succeeded -         -         -         -        '],
  [{ end: 'failed' }, '   - -       failed    failed    -         -         -         -        '],
  [{ end: 'paused' }, '   - -       paused    paused    -         -         -         -        '],
  [{ end: 'cancelled' }, '- -       cancelled cancelled -         -         -         -        '],
  [{ end: 'waiting' }, '  - -       waiting   waiting   -         -         -         -        '],
];
const CASES = TABLE.flatMap(([event, row]) => {
  const next = row.trim().split(/\s+/);
  return STATES.map((state, at) => [state, event, next[at]!] as const);
});

describe('nextJobState', () => {
  it.each(CASES)('%s, %j: %s', (state, event, expected) => {
    const next = nextJobState(state, event);
    expect(next.kind === 'moved' ? next.state : '-').toBe(expected);
  });

  it('has a case for each state of each event', () => {
    expect(STATES).toHaveLength(8);
    expect(CASES.every(([, , expected]) => expected.length > 0)).toBe(true);
  });

  it.each<[JobState, JobEvent, string]>([
    ['running', 'place', 'a job that is running cannot place'],
    ['assigned', { end: 'succeeded' }, 'a job that is assigned cannot end as succeeded'],
  ])('says what it refuses: %s, %j', (state, event, reason) => {
    expect(nextJobState(state, event)).toEqual({ kind: 'refused', reason });
  });
});
