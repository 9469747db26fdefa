import { FARM_ERRORS, type AttemptEnd } from '#libs/contracts';
import { describe, expect, it } from '@jest/globals';
import { EXIT, exitCodeTable, exitForApiCode, exitForBuild } from './exit-codes.js';
import { attemptOf, buildOf, jobOf } from '../../../../libs/watch/src/testing.js';

describe('exitForApiCode', () => {
  it.each([
    ['MANIFEST_INVALID', EXIT.usage],
    ['NOT_AUTHENTICATED', EXIT.notAuthenticated],
    ['FORBIDDEN', EXIT.permission],
    ['SCRIPT_NOT_CATALOGUED', EXIT.permission],
    ['NOT_FOUND', EXIT.notFound],
    ['UNPLACEABLE', EXIT.infrastructure],
    ['UNAVAILABLE', EXIT.server],
    ['A_CODE_OF_TOMORROW', EXIT.server],
    ['toString', EXIT.server],
  ])('%s is %i', (code, exit) => {
    expect(exitForApiCode(code)).toBe(exit);
  });

  it('never calls a refusal a success', () => {
    for (const code of Object.keys(FARM_ERRORS)) expect(exitForApiCode(code)).toBeGreaterThan(1);
  });
});

describe('exitForBuild', () => {
  const step: AttemptEnd = { kind: 'failed', step: 0, outcome: { kind: 'exited', status: 3 } };
  const lost: AttemptEnd = { kind: 'infrastructure', fault: 'lost', at: null, reason: 'gone' };
  const failedBy = (end: AttemptEnd) => jobOf({ state: 'failed', attempts: [attemptOf({ end })] });

  it.each([
    ['succeeded', [], EXIT.ok],
    ['running', [], EXIT.ok],
    ['paused', [], EXIT.paused],
    ['cancelled', [], EXIT.cancelled],
    ['failed', [], EXIT.failed],
    ['failed', [failedBy(step)], EXIT.failed],
    ['failed', [failedBy(lost)], EXIT.infrastructure],
    ['failed', [failedBy(lost), failedBy(step)], EXIT.failed],
  ] as const)('%s with %#', (state, jobs, exit) => {
    expect(exitForBuild(buildOf({ state, jobs: [...jobs] }))).toBe(exit);
  });
});

describe('exitCodeTable', () => {
  it('has a line for every code', () => {
    const table = exitCodeTable();
    for (const code of Object.values(EXIT)) expect(table).toMatch(new RegExp(`^ +${code}  \\w`, 'm'));
  });
});
