import { describe, expect, it } from '@jest/globals';
import type { BuildId } from '#libs/contracts';
import { planOf } from '../../../../libs/plan/src/testing.js';
import { planReuse, type KeyedVariant, type StepFate } from './plan-reuse.js';

/** Keys of boundaries and ends, one behind the other as words. */
function variant(name: string, steps: readonly string[], boundaries: string, ends: string): KeyedVariant {
  const keys = (text: string): (string | null)[] => text.split(' ').map((key) => (key === '-' ? null : key));
  return { name, plan: planOf(steps), keys: { boundaries: keys(boundaries), ends: keys(ends) } };
}

function words(fates: ReadonlyMap<number, StepFate> | undefined): string {
  return [...(fates ?? [])]
    .map(([, fate]) => {
      if (fate.kind === 'reused') return fate.from;
      if (fate.kind === 'shared') return `with ${fate.with}`;
      return `runs${fate.isBehind ? '' : '!'}${fate.isUnknown ? '?' : ''}`;
    })
    .join(', ');
}

const builds = (text: string): ReadonlyMap<string, BuildId> =>
  new Map(text.split(' ').flatMap((key) => (key === '' ? [] : [[key, `b-${key}` as BuildId] as const])));

/** `a b c` with keys in front of each and at the end: 0 1 2 end. */
const CHAIN = variant('v', ['a', 'b', 'c'], '0 1 2', 'end');

describe('planReuse', () => {
  it.each([
    ['nothing is there', CHAIN, '', '', 'runs!, runs, runs'],
    ['the whole result is', CHAIN, 'end', '', 'b-end, b-end, b-end'],
    ['a state is', CHAIN, '', '2', 'b-2, b-2, runs!'],
    ['only the state in front of all is', CHAIN, '', '0', 'runs!, runs, runs'],
    ['the first of two states is further on', CHAIN, '', '1 2', 'b-2, b-2, runs!'],
    [
      'nobody knows from the second step on',
      variant('v', ['a', 'b', 'c'], '0 1 -', '-'),
      '',
      '1',
      'b-1, runs!?, runs?',
    ],
    [
      'a lane is there, and main behind it is not',
      variant('v', ['a', 'x:b>out', 'c'], '0 1 2 3 4', '1 3 end'),
      '1 3',
      '',
      'b-1, b-3, runs!',
    ],
  ])('says what runs when %s', (_, of, results, states, expected) => {
    const atHand = { results: builds(results), states: builds(states) };
    expect(words(planReuse([of], atHand).get('v'))).toBe(expected);
  });

  it('has equal steps of variants run once', () => {
    const fates = planReuse(
      [
        variant('en', ['a', 'b', 'c'], '0 1 2', 'en'),
        variant('de', ['a', 'b', 'c'], '0 1 2', 'de'),
        variant('fr', ['a', 'other', 'c'], '0 1 9', 'fr'),
      ],
      { results: builds(''), states: builds('') },
    );
    expect(words(fates.get('en'))).toBe('runs!, runs, runs');
    expect(words(fates.get('de'))).toBe('with en, with en, runs');
    expect(words(fates.get('fr'))).toBe('with en, runs, runs');
  });
});
