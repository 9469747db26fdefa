import { describe, expect, it } from '@jest/globals';
import { judgeCopies, type CopiesInQuestion } from './judge-copies.js';
import { agentId, NOW } from './testing.js';

const [buddy, other] = [agentId('buddy'), agentId('other')];
const asked: CopiesInQuestion = {
  copies: { on: [], missing: 1, receivers: [buddy] },
  lateSince: null,
  now: NOW,
  limitMs: 60_000,
  nameOf: (agent) => agent.slice('a-'.length),
};

describe('a job that asks for copies of a checkpoint', () => {
  it.each<[string, Partial<CopiesInQuestion>, object]>([
    ['goes on when all are there', { copies: { on: [buddy], missing: 0, receivers: [] } }, { kind: 'there' }],
    ['waits for the one that is on its way', {}, { kind: 'coming', reason: 'it is on its way to buddy' }],
    [
      'waits for each of several',
      { copies: { on: [buddy], missing: 2, receivers: [other, agentId('far')] } },
      { kind: 'coming', reason: 'it is on its way to other and far' },
    ],
    [
      'does not wait for more than anybody can take',
      { copies: { on: [buddy], missing: 1, receivers: [] } },
      { kind: 'there' },
    ],
    [
      'goes on without when nobody can take one',
      { copies: { on: [], missing: 1, receivers: [] } },
      { kind: 'without', reason: 'no other agent can take one' },
    ],
    ['waits until it is known', { copies: null }, { kind: 'coming', reason: 'it is not begun' }],
    [
      'waits until the limit',
      { lateSince: NOW - 59_999 },
      { kind: 'coming', reason: 'it is on its way to buddy' },
    ],
    [
      'goes on without at the limit',
      { lateSince: NOW - 60_000 },
      { kind: 'without', reason: 'after 60 s it is still on its way to buddy' },
    ],
    [
      'goes on without at the limit, known or not',
      { copies: null, lateSince: NOW - 60_000 },
      { kind: 'without', reason: 'after 60 s it is still not begun' },
    ],
    [
      'is content when they have caught up after the limit',
      { copies: { on: [buddy], missing: 0, receivers: [] }, lateSince: NOW - 90_000 },
      { kind: 'there' },
    ],
  ])('%s', (_, change, expected) => {
    expect(judgeCopies({ ...asked, ...change })).toEqual(expected);
  });
});
