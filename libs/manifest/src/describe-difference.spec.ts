import { expect, it } from '@jest/globals';
import { describeDifference } from './describe-difference.js';

it('has a line for each change, and no value of a password', () => {
  const lines = describeDifference({
    values: [
      { path: 'img_params/hostname', isSecret: false, from: ['a'], to: ['b "c"'] },
      { path: 'img_params/locale_list', isSecret: false, from: [], to: ['de', 'en'] },
      { path: 'img_params/rootpass', isSecret: true, from: [], to: [] },
    ],
    packages: { added: ['vim'], removed: ['nano', 'ed'] },
    skipped: ['usb'],
  });
  expect(lines.map(({ what, change }) => `${what} ${change}`)).toEqual([
    'img_params/hostname "a" -> "b \\"c\\""',
    'img_params/locale_list nothing -> "de" "en"',
    'img_params/rootpass changed',
    'packages +vim',
    'packages -nano -ed',
    'steps -usb',
  ]);
});
