import { describe, expect, it } from '@jest/globals';
import { encodeFacts, factsAt, type BoundaryFacts } from './boundary-facts.js';
import { contradictionOf } from './contradiction-of.js';
import { planOf } from './testing.js';

const KEY = 'a'.repeat(64);
const plan = planOf(['pop', 'iso']);
const [start, behindPop] = [plan.boundaries[0]!, plan.boundaries[1]!];

function checkpoint(change: Partial<BoundaryFacts> = {}, at = behindPop) {
  const facts = { ...factsAt(at, '', plan.digests, 'j', new Date(0), KEY), ...change };
  return { id: '1', workspace: 'build_data', label: at.label, facts: encodeFacts(facts) };
}

describe('contradictionOf', () => {
  it('finds none where all facts agree', () => {
    expect(contradictionOf(checkpoint(), behindPop, KEY)).toBeNull();
    expect(contradictionOf(checkpoint({}, start), start, KEY)).toBeNull();
    // What steps and builds are called says nothing about the state.
    expect(contradictionOf(checkpoint({ after: 'populate', build: 'other' }), behindPop, KEY)).toBeNull();
  });

  it.each<[string, Partial<BoundaryFacts>, RegExp]>([
    ['of another key', { key: 'b'.repeat(64) }, /another state/],
    ['without one', { key: '' }, /another state/],
    ['of another label', { boundary: '.step_usb' }, /taken as \.step_usb/],
    ['of another script', { scriptDigest: 'other' }, /another script than that of pop/],
    [
      'of other arguments',
      { argsDigest: 'other', after: 'populate' },
      /populate had other arguments than pop/,
    ],
  ])('finds one in a checkpoint %s', (_, change, words) => {
    expect(contradictionOf(checkpoint(change), behindPop, KEY)).toMatch(words);
  });

  it('finds one where a step is said to have led to the start of a job', () => {
    const found = contradictionOf(
      checkpoint({ after: 'pop', scriptDigest: 'digest of pop' }, start),
      start,
      KEY,
    );
    expect(found).toMatch(/step pop led to it/);
  });

  it('takes nothing for a state of which nobody knows the key, or that says nothing', () => {
    expect(contradictionOf(checkpoint(), behindPop, null)).toMatch(/another state/);
    expect(contradictionOf({ ...checkpoint(), facts: {} }, behindPop, KEY)).toMatch(/how it came to be/);
  });
});
