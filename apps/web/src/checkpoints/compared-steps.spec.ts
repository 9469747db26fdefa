import { describe, expect, it } from '@jest/globals';
import type { BuildDetail, JobView, StepView } from '#libs/contracts';
import { comparedSteps } from './compared-steps.js';

const step = (index: number, name: string, checkpoint: string | null): StepView =>
  ({ index, name, checkpoint }) as StepView;
const job = (variant: string, ...steps: readonly StepView[]): JobView => ({ variant, steps }) as JobView;

describe('comparedSteps', () => {
  const de = job('de', step(0, 'pop', 'd0'), step(1, 'mod', 'd1'), step(3, 'iso', null));
  const en = job('en', step(0, 'pop', 'e0'), step(1, 'mod', null));
  const fr = job('fr', step(0, 'pop', 'd0'), step(2, 'mod', 'f1'));
  const build = { jobs: [de, en, fr] } as unknown as BuildDetail;
  it.each<[string, JobView, number, string | null, readonly string[]]>([
    // The state of fr is the same one.
    ['what it changed, and another variant', de, 0, 'from=d0&to=d1', ['en from=d0&to=e0']],
    ['no state behind it', de, 1, null, ['fr from=d1&to=f1']],
    ['no state in front of it', de, 2, null, []],
    ['no state behind it that is held', en, 0, null, ['de from=e0&to=d0', 'fr from=e0&to=d0']],
  ])('has %s', (_, of, at, changed, others) => {
    const found = comparedSteps(build, { job: of, step: of.steps[at]! });
    expect(found.changed).toBe(changed === null ? null : `/checkpoints/diff?${changed}`);
    expect(found.others.map(({ variant, href }) => `${variant} ${href.split('?')[1] ?? ''}`)).toEqual(others);
  });
});
