import { expect, it, describe } from '@jest/globals';
import type { PlanPreview } from '#libs/contracts';
import { describePlan } from './plan-sum.js';

type Variant = PlanPreview['variants'][number];
type Fate = Variant['jobs'][number]['steps'][number]['fate'];

/** Jobs as `needs: minutes of its steps`, of which those that are reused or shared say so. */
function variantOf(
  ...jobs: readonly (readonly [readonly number[], ...(readonly [Fate, number])[]])[]
): Variant {
  return {
    name: 'v',
    jobs: jobs.map(([needs, ...steps], index) => ({
      index,
      lane: `l${index}`,
      architecture: 'x86_64',
      needs: [...needs],
      placement: '',
      steps: steps.map(([fate, minutes], at) => {
        const of = fate === 'runs' ? null : 'x';
        return { name: `s${at}`, message: '', usualMs: minutes * 60_000, fate, of, why: '' };
      }),
    })),
  };
}

describe('what a plan comes to', () => {
  it.each([
    [
      'one lane: its work',
      [variantOf([[], ['runs', 3], ['runs', 4]])],
      'all 2 steps run, usually 7m00s of work',
    ],
    [
      'lanes side by side, then one behind both: the longest way',
      [
        variantOf(
          [[], ['runs', 10]],
          [[], ['runs', 3]],
          [
            [0, 1],
            ['runs', 4],
          ],
        ),
      ],
      'all 3 steps run, usually 17m00s of work; 14m00s where an agent is free for each job',
    ],
    [
      'a variant that waits for what it shares',
      [variantOf([[], ['runs', 10], ['runs', 1]]), variantOf([[], ['shared', 10], ['runs', 5]])],
      '3 of 4 steps run, usually 16m00s of work; 15m00s where an agent is free for each job',
    ],
    [
      'nothing of what is there already',
      [variantOf([[], ['reused', 10], ['runs', 1]]), variantOf([[], ['reused', 10], ['runs', 2]])],
      '2 of 4 steps run, usually 3m00s of work; 2m00s where an agent is free for each job',
    ],
    ['no time where none is known', [variantOf([[], ['runs', 0]])], 'the only step runs'],
  ])('is %s', (_, variants, words) => {
    expect(describePlan(variants)).toBe(words);
  });
});
