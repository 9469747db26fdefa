import { describe, expect, it } from '@jest/globals';
import type { Checkpoint } from '#libs/plan';
import { parseDatasetName } from './dataset-name.js';
import { partialOf } from './partial-receive.js';
import { formatResumeToken } from './resume-token.js';
import type { SnapshotState, WorkspaceState } from './workspace-state.js';

const at = (id: string, label: string, workspace = 'main'): Checkpoint => ({
  ...{ id, workspace, label, facts: {} },
});
const [a, b, fork] = [at('1', 'a'), at('2', 'b'), at('3', 's', 'side')];

function tokenOf(to: Checkpoint, from: Checkpoint | null): string {
  return formatResumeToken({
    ...{ object: 8n, offset: 0n, bytes: 1000n },
    ...{ toGuid: to.id, fromGuid: from?.id ?? null, toName: `tank/elsewhere@${to.label}` },
  });
}

function workspace(parts: Partial<WorkspaceState>, ...held: readonly Checkpoint[]): WorkspaceState {
  const snapshots = held.map(({ id, label }, at): SnapshotState => ({
    ...{ label, guid: id, createdInTransaction: at, holds: 0, isOurs: true, isWhole: true, facts: {} },
  }));
  return {
    ...{ dataset: parseDatasetName('tank/area/main'), isOurs: true, isHalf: false },
    ...{ resumeToken: null, aside: null, origin: null, snapshots, ...parts },
  };
}

describe('what a receive has left that broke off', () => {
  const half = (to: Checkpoint, from: Checkpoint | null): WorkspaceState =>
    workspace({ isHalf: true, resumeToken: tokenOf(to, from) });

  it('is of the checkpoint and base that it says', () => {
    expect(partialOf(half(a, null), a, null)).toMatchObject({ object: 8n, bytes: 1000n });
    expect(partialOf(half(fork, a), fork, a)).not.toBeNull();
    expect(partialOf(workspace({ resumeToken: tokenOf(b, a) }, a), b, a)).not.toBeNull();
  });

  it.each<[string, WorkspaceState | null, Checkpoint, Checkpoint | null]>([
    ['no workspace', null, a, null],
    ['a workspace that has nothing of it', workspace({}, a), b, a],
    ['another checkpoint', half(b, null), a, null],
    ['another base', half(fork, b), fork, a],
    ['no base', half(fork, null), fork, a],
    ['a base that nobody asked for', half(fork, a), fork, null],
    [
      'an increment of a workspace that got further',
      workspace({ resumeToken: tokenOf(b, a) }, a, fork),
      b,
      a,
    ],
    ['an increment of a workspace that lost its base', workspace({ resumeToken: tokenOf(b, a) }), b, a],
    ['a whole one in a workspace that is', workspace({ resumeToken: tokenOf(b, null) }, a), b, null],
    ['a stream of another kind', workspace({ isHalf: true, resumeToken: '1-0-0-00' }), a, null],
    ["what is somebody else's", { ...half(a, null), isOurs: false }, a, null],
  ])('is nothing to go on with, where it is %s', (_, state, checkpoint, base) => {
    expect(partialOf(state, checkpoint, base)).toBeNull();
  });
});
