import { describe, expect, it } from '@jest/globals';
import { foreseeReuse, type ForeseenStep, type VariantToBuild } from './foresee-reuse.js';
import type { Plan } from './plan.js';
import type { StateAtHand } from './state-at-hand.js';
import { planOf } from './testing.js';

/** A variant whose steps are its words; the key of a state is the words that led there, lane by lane. */
function variantOf(name: string, text: string, pause = ''): VariantToBuild {
  const plan = planOf(
    text.split(' ').map((word) => word.replace(/\d/g, '')),
    { everyEnd: true },
  );
  const words = text.split(' ');
  const keyOf = (job: number, last: number): string => {
    const { steps, base, imports } = plan.jobs[job]!;
    const start = base.kind === 'empty' ? '' : keyOf(base.boundary.job, Infinity);
    const joined = imports.map(({ lane }) => {
      return keyOf(
        plan.jobs.findLastIndex((each) => each.index < job && each.lane === lane),
        Infinity,
      );
    });
    const own = steps.filter(({ index }) => index <= last).map(({ index }) => words[index]);
    return [start, ...joined, ...own].join(' ');
  };
  const boundaries = plan.boundaries.map(({ job, after }) => keyOf(job, after?.index ?? -1));
  const pauseBefore = plan.steps.find((step) => step.name === pause) ?? null;
  return { name, plan, keys: { boundaries, ends: [] }, pauseBefore };
}

/** What is left of a build of the variant. */
function leftBy({ plan, keys }: VariantToBuild): Map<string, readonly StateAtHand[]> {
  const area = new Map<string, readonly StateAtHand[]>();
  for (const { index, workspace, label } of plan.boundaries) {
    const state = { label, key: keys.boundaries[index]! };
    area.set(workspace, [...(area.get(workspace) ?? []), state]);
  }
  return area;
}

/** `as in .step_b`, `with x`, `runs`, `runs behind`: a word for each step. */
function foresee(variants: readonly VariantToBuild[], area: Map<string, readonly StateAtHand[]>) {
  const foreseen = foreseeReuse(variants, area);
  return variants.map(({ name, plan }) => inWords(plan, foreseen.get(name)!));
}

function inWords(plan: Plan, steps: ReadonlyMap<number, ForeseenStep>): readonly string[] {
  return plan.steps.map(({ index }) => {
    const step = steps.get(index);
    if (step === undefined) return '-';
    if (step.kind === 'reused') return step.checkpoint;
    if (step.kind === 'shared') return `with ${step.with}`;
    return step.isUnknown ? 'unknown' : step.isBehind ? 'behind' : 'runs';
  });
}

const base = variantOf('base', 'a b c');

describe('foreseeReuse', () => {
  it('runs all where nothing is', () => {
    expect(foresee([base], new Map())).toEqual([['runs', 'behind', 'behind']]);
  });

  it('runs nothing where nothing changed', () => {
    expect(foresee([base], leftBy(base))).toEqual([['.step_b', '.step_c', '.end_c']]);
  });

  it('runs from the change on', () => {
    expect(foresee([variantOf('x', 'a b2 c')], leftBy(base))).toEqual([['.step_b', 'runs', 'behind']]);
  });

  it('shares with the variants before, and not what their builds drop', () => {
    const [x, y] = [variantOf('x', 'a b2 c'), variantOf('y', 'a b2 c3')];
    expect(foresee([x, y, base], leftBy(base))).toEqual([
      ['.step_b', 'runs', 'behind'],
      ['.step_b', 'with x', 'runs'],
      ['.step_b', 'runs', 'behind'],
    ]);
  });

  it('knows nothing where keys are not known', () => {
    const unknown = { ...base, keys: { boundaries: base.keys.boundaries.map(() => null), ends: [] } };
    expect(foresee([unknown], leftBy(base))).toEqual([['unknown', 'unknown', 'unknown']]);
  });

  it('says nothing of what is behind a pause', () => {
    expect(foresee([variantOf('x', 'a b2 c', 'c')], leftBy(base))).toEqual([['.step_b', 'runs', '-']]);
  });

  const lanes = variantOf('lanes', 'a l:b>x m:c>y d');

  it('runs a lane that changed, and what it joins; other lanes stay', () => {
    expect(foresee([lanes], leftBy(lanes))).toEqual([['.end_a', '.end_b', '.end_c', '.end_d']]);
    expect(foresee([variantOf('x', 'a l:b2>x m:c>y d')], leftBy(lanes))).toEqual([
      ['.end_a', 'runs', '.end_c', 'behind'],
    ]);
  });

  it('takes main for one that goes on from all lanes before it', () => {
    const x = variantOf('x', 'a l:b2 m:c d2');
    expect(foresee([x], leftBy(variantOf('y', 'a l:b m:c d')))).toEqual([
      ['.end_a', 'runs', '.end_c', 'behind'],
    ]);
  });

  it('runs lanes again when what they were forked from is made anew, though it is the same', () => {
    const area = leftBy(lanes);
    area.set(
      'build_data',
      area.get('build_data')!.filter(({ label }) => label === '.step_a'),
    );
    expect(foresee([lanes], area)).toEqual([['runs', 'behind', 'behind', 'behind']]);
  });
});
