import { describe, expect, it } from '@jest/globals';
import type { Role, WhoAmI } from '#libs/contracts';
import { Role as Roles, roleAtLeast } from '#libs/contracts';
import { whyNot, whyNotChange } from './why-not.js';

const me = (role: Role): WhoAmI => ({ user: 'ada', role, rights: [], farm: 'farm', version: '1' });

describe('what a token may do', () => {
  it('is what the farm says it may, for each role and need', () => {
    for (const role of Roles.options)
      for (const needed of Roles.options)
        expect(whyNot(me(role), needed) === null).toBe(roleAtLeast(role, needed));
  });

  it('is refused in words', () => {
    expect(whyNot(me('viewer'), 'operator')).toBe('ada is a viewer; this needs an operator');
  });

  it.each([
    ['viewer', 'ada', false],
    ['submitter', 'ada', true],
    ['submitter', 'bob', false],
    ['operator', 'bob', true],
    ['admin', 'bob', true],
  ] as const)('a %s changes a build of %s: %s', (role, user, may) => {
    expect(whyNotChange(me(role), { user }) === null).toBe(may);
  });
});
