import { describe, expect, it } from '@jest/globals';
import { MOST_REUSABLE } from '#libs/contracts';
import { chooseReusable, type EqualState } from './choose-reusable.js';

/** `3 one.c<one.b here`: at the third boundary, state c of area one, which continues b, and is here. */
function stateOf(text: string): EqualState {
  const [position = '', name = '', here] = text.split(' ');
  const [id = '', previous = ''] = name.split('<');
  return { id, position: Number(position), area: id.split('.')[0]!, previous, isHere: here === 'here' };
}

const chosen = (...texts: readonly string[]): string =>
  chooseReusable(texts.map(stateOf))
    .map(({ id, isHere }) => `${id}${isHere ? ' here' : ''}`)
    .join(', ');

describe('the states that an agent is told of', () => {
  it.each<[string, readonly string[], string]>([
    ['none', [], ''],
    ['the furthest first', ['1 one.a<', '3 one.c<one.b', '2 one.b<one.a'], 'one.c, one.b, one.a'],
    ['of one boundary what is here first', ['2 one.b<', '2 two.b< here'], 'two.b here, one.b'],
    [
      'then what it has begun to fetch the chain of',
      ['1 two.a< here', '2 one.b<one.a', '2 two.b<two.a'],
      'two.b, one.b, two.a here',
    ],
    ['then what leads to one further on', ['2 one.b<', '2 two.b<', '3 two.c<two.b'], 'two.c, two.b, one.b'],
    ['what several agents hold once, as here', ['2 one.b< here', '2 one.b<'], 'one.b here'],
  ])('%s', (_, states, expected) => {
    expect(chosen(...states)).toBe(expected);
  });

  it('are of each boundary, however many there are of one', () => {
    const many = Array.from({ length: 100 }, (_, at) => `4 v${at}.d<`);
    const told = chooseReusable(
      ['1 one.a<', '2 one.b<one.a', '3 one.c<one.b', ...many, '4 one.d<one.c', '1 one.a< here'].map(stateOf),
    );
    expect(told.length).toBeLessThanOrEqual(MOST_REUSABLE);
    expect(told.map(({ id }) => id)).toEqual(expect.arrayContaining(['one.d', 'one.c', 'one.b', 'one.a']));
    expect(told[0]).toMatchObject({ id: 'one.d' });
  });

  it('are the furthest of a job with more boundaries than may be told', () => {
    const all = Array.from({ length: 50 }, (_, at) => stateOf(`${at + 1} one.${at + 1}<one.${at}`));
    expect(chooseReusable(all).map(({ position }) => position)).toEqual(
      Array.from({ length: MOST_REUSABLE }, (_, at) => 50 - at),
    );
  });
});
