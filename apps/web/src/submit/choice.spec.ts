import { expect, it } from '@jest/globals';
import { AS_IT_IS, choiceFor } from './choice.js';

it('means no step and no file that this manifest does not have', () => {
  const choice = { ...AS_IT_IS, pauseBefore: 'iso', extras: ['a', 'b'], note: 'mine' };
  expect(choiceFor(choice, [{ name: 'iso' }], [{ name: 'b' }])).toEqual({ ...choice, extras: ['b'] });
  expect(choiceFor(choice, [{ name: 'pop' }], [])).toEqual({ ...choice, pauseBefore: null, extras: [] });
});
