import { describe, expect, it } from '@jest/globals';
import { findStep } from './choose-start.js';
import type { Plan } from './plan.js';
import { statesToBeginWith, type StateAtHand } from './state-at-hand.js';
import type { PlanKeys } from './step-keys.js';
import { planOf } from './testing.js';

const PLAN = planOf(['a', 'b', 'c', 'l:d', 'e'], { everyEnd: true });

/** `k0`, `k1` and so on, but for what is named. */
function keysOf(plan: Plan, change: Readonly<Record<number, string | null>> = {}): PlanKeys {
  return {
    boundaries: plan.boundaries.map(({ index }) => (index in change ? (change[index] ?? null) : `k${index}`)),
    ends: [],
  };
}

/** What a build of the plan leaves in the workspace, with keys as `keysOf` gives. */
function statesOf(plan: Plan, workspace: string): readonly StateAtHand[] {
  return plan.boundaries
    .filter((boundary) => boundary.workspace === workspace)
    .map(({ index, label }) => ({ label, key: `k${index}` }));
}

function labels(
  plan: Plan,
  keys: PlanKeys,
  states: readonly StateAtHand[],
  { job = 0, pause = '', made = [] as readonly number[] } = {},
): readonly string[] {
  const start = { job: plan.jobs[job]!, pauseBefore: findStep(plan, pause), made: new Set(made) };
  return statesToBeginWith(plan, keys, start, states).map(({ boundary }) => boundary.label);
}

describe('statesToBeginWith', () => {
  const states = statesOf(PLAN, 'build_data');

  it('finds the furthest first', () => {
    expect(labels(PLAN, keysOf(PLAN), states)).toEqual(['.end_c', '.step_c', '.step_b', '.step_a']);
  });

  it.each<[string, Readonly<Record<number, string | null>>, readonly string[]]>([
    ['other keys', { 2: 'other', 3: 'other' }, ['.step_b', '.step_a']],
    ['keys that nobody knows', { 1: null, 2: null, 3: null }, ['.step_a']],
  ])('leaves out states of %s', (_, change, expected) => {
    expect(labels(PLAN, keysOf(PLAN, change), states)).toEqual(expected);
  });

  it('finds nothing where nothing is', () => {
    expect(labels(PLAN, keysOf(PLAN), [])).toEqual([]);
  });

  it.each<[string, readonly string[]]>([
    ['a', ['.step_a']],
    ['c', ['.step_c', '.step_b', '.step_a']],
    ['d', ['.end_c', '.step_c', '.step_b', '.step_a']],
  ])('goes no further than a pause in front of %s', (pause, expected) => {
    expect(labels(PLAN, keysOf(PLAN), states, { pause })).toEqual(expected);
  });

  it('finds nothing for a job that goes on from what is made anew', () => {
    const lane = statesOf(PLAN, 'build_data.l');
    expect(labels(PLAN, keysOf(PLAN), lane, { job: 1 })).toEqual(['.end_d', '.step_d']);
    expect(labels(PLAN, keysOf(PLAN), lane, { job: 1, made: [0] })).toEqual([]);
    expect(labels(PLAN, keysOf(PLAN), states, { job: 2, made: [1] })).toEqual(['.end_e', '.step_e']);
  });

  it('leaves out a state behind one whose label is still to be given', () => {
    // Once a, b, c and d, now a, x (that was b) and b (that was d).
    const before = planOf(['a', 'b', 'c', 'd'], { everyEnd: true });
    const now = planOf(['a', 'x', 'c', 'b'], { everyEnd: true });
    expect(labels(now, keysOf(now), statesOf(before, 'build_data'))).toEqual(['.step_a']);
  });
});
