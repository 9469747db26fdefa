import { expect, it } from '@jest/globals';
import { shrink } from './shrink.js';

const failsWith =
  (...needed: readonly string[]) =>
  async (some: readonly string[]): Promise<boolean> =>
    await Promise.resolve(needed.every((each) => some.includes(each)));

it.each([
  [['b'], ['b']],
  [
    ['a', 'd'],
    ['a', 'd'],
  ],
  [[], ['d']],
])('what needs %j to fail shrinks to %j', async (needed, least) => {
  expect(await shrink(['a', 'b', 'c', 'd'], failsWith(...needed))).toEqual(least);
});

it('keeps all of what does not fail again', async () => {
  expect(await shrink(['a', 'b'], async () => await Promise.resolve(false))).toEqual(['a', 'b']);
});
