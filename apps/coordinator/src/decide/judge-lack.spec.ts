import { describe, expect, it } from '@jest/globals';
import type { BuildId } from '#libs/contracts';
import { judgeLack } from './judge-lack.js';
import type { ReplicaLack } from './plan-replicas.js';
import { agentId, NOW } from './testing.js';

const lack: ReplicaLack = {
  build: 'b-one' as BuildId,
  variant: 'default',
  lane: 'main',
  label: '.step_c',
  takenAt: NOW,
  missing: 1,
  wanted: 1,
  receivers: [agentId('buddy')],
  behind: 1,
  lateSince: null,
};
const NOBODY = 'it would have to be ready, of the same kind of store, in reach, and with room';

describe('a copy that is not there', () => {
  it.each<[Partial<ReplicaLack>, string, string]>([
    [{}, 'coming', 'the copy of .step_c is on its way to buddy'],
    [
      { missing: 2, wanted: 2, receivers: [agentId('x'), agentId('y')] },
      'coming',
      'the copy of .step_c is on its way to x and y',
    ],
    [{ behind: 3 }, 'late', 'the copy of .step_c is on its way to buddy, 3 checkpoints behind'],
    [
      { lateSince: NOW - 12_000 },
      'late',
      'the copy of .step_c is on its way to buddy; the job has been in want of it for about 12 s',
    ],
    [{ receivers: [] }, 'missing', `no agent can take the copy of .step_c: ${NOBODY}`],
    [
      { receivers: [], behind: 4 },
      'missing',
      `no agent can take the copy of .step_c: ${NOBODY}, 4 checkpoints behind`,
    ],
    [
      { missing: 2, wanted: 3 },
      'missing',
      `no agent can take 1 of 2 missing copies of .step_c: ${NOBODY}; the copy of .step_c is on its way to buddy`,
    ],
  ])('%j is %s', (change, kind, reason) => {
    expect(judgeLack({ ...lack, ...change }, (agent) => agent.slice('a-'.length), NOW)).toEqual({
      kind,
      reason,
    });
  });
});
