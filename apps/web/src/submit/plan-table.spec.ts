import { describe, expect, it } from '@jest/globals';
import type { PlanPreview } from '#libs/contracts';
import { cellTime, describePlanCell, planTable, type PlannedStep } from './plan-table.js';

const step = (name: string, change: Partial<PlannedStep> = {}): PlannedStep => {
  return { name, message: `Step ${name}`, usualMs: null, fate: 'runs', of: null, why: '', ...change };
};

const planOf = (variants: Readonly<Record<string, readonly PlannedStep[]>>): PlanPreview => ({
  name: 'Live',
  notes: [],
  variants: Object.entries(variants).map(([name, steps]) => ({
    name,
    jobs: [
      { index: 0, lane: 'main', architecture: 'x86_64', needs: [], steps: [...steps], placement: '1 agent' },
    ],
  })),
});

describe('a plan as a table', () => {
  const plan = planOf({
    en: [step('pop', { fate: 'reused', of: 'b-1' }), step('iso', { usualMs: 61_000 })],
    de: [step('pop', { fate: 'shared', of: 'en' }), step('locale', { why: 'it is new' }), step('iso')],
  });

  it('has every step once, where the variants have it', () => {
    expect(planTable(plan).steps.map(({ name }) => name)).toEqual(['pop', 'locale', 'iso']);
  });

  it('has a line for each variant, with nothing where it has no such step', () => {
    const { lines } = planTable(plan);
    expect(lines.map(({ variant, running, total }) => ({ variant, running, total }))).toEqual([
      { variant: 'en', running: 1, total: 2 },
      { variant: 'de', running: 2, total: 3 },
    ]);
    expect(lines[0]?.cells.map((cell) => cell?.step.fate)).toEqual(['reused', undefined, 'runs']);
  });

  it('says in words what a cell shows', () => {
    const cells = planTable(plan).lines.flatMap((line) => line.cells.flatMap((cell) => cell ?? []));
    expect(cells.map(describePlanCell)).toEqual([
      'en, pop: reused, as in b-1',
      'en, iso: runs, usually 1m01s',
      'de, pop: shared, with variant en',
      'de, locale: runs, it is new',
      'de, iso: runs',
    ]);
    expect(cells.map(({ step: each }) => cellTime(each))).toEqual(['', '1m01s', '', '', '']);
  });

  it('of a thousand variants is made at once', () => {
    const steps = Array.from({ length: 20 }, (_, index) => step(`s${index}`));
    const wide = planOf(Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`v${index}`, steps])));
    expect(planTable(wide).lines).toHaveLength(1000);
    expect(planTable(wide).lines.at(-1)?.total).toBe(20);
  });
});
