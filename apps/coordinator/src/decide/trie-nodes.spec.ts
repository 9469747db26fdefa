import { describe, expect, it } from '@jest/globals';
import type { AgentId, BuildId } from '#libs/contracts';
import { buildNode, checkpointNode, stateNode, type StateFacts, type TrieFacts } from './trie-nodes.js';

const [MILL, LIME, GONE] = ['a-mill', 'a-lime', 'a-gone'] as AgentId[];
const [ONE, TWO] = ['b-one', 'b-two'] as BuildId[];
const facts: TrieFacts = {
  agents: new Map([
    [MILL!, { name: 'mill', isLost: false }],
    [LIME!, { name: 'lime', isLost: true }],
  ]),
  isInUse: (agent, build) => agent === MILL && build === TWO,
};
const state = { key: 'k', parent: null, step: 'pop', newestAt: 9 };
const own = (change: Partial<StateFacts> = {}): StateFacts => ({
  ...{ holders: [], shares: [], isPinned: false, areaBytes: null, children: 0, below: 0 },
  ...change,
});
const holder = (agentId: AgentId, buildId: BuildId, id: string) => ({
  ...{ key: 'k', agentId, buildId, id, workspace: 'build_data.iso', label: '.step_iso' },
});

describe('a node of the trie', () => {
  it('is shared by the variants of all distributions, of which some are named', () => {
    const shares = ['a', 'b', 'c', 'd', 'e', 'f'].map((distribution) => {
      return { key: 'k', distribution, builds: 1, variants: 2 };
    });
    expect(stateNode(state, own({ shares }), facts)).toMatchObject({
      ...{ builds: 6, variants: 12 },
      distributions: ['a', 'b', 'c', 'd', 'e'],
    });
  });

  it('is held by each agent once, and is compared where it can be had', () => {
    const holders = [holder(LIME!, ONE!, '1'), holder(MILL!, ONE!, '2'), holder(MILL!, ONE!, '3')];
    expect(stateNode(state, own({ holders }), facts)).toMatchObject({
      holders: [
        { agentName: 'lime', lost: true },
        { agentName: 'mill', lost: false },
      ],
      ...{ checkpoint: '2', lane: 'iso', before: 'iso', inUse: false },
    });
    expect(stateNode(state, own({ holders: [holder(GONE!, ONE!, '1')] }), facts)).toMatchObject({
      holders: [{ agentName: 'a-gone', lost: true }],
      checkpoint: '1',
    });
  });

  it('is in use where a job works in one of its areas', () => {
    const holders = [holder(LIME!, TWO!, '1'), holder(MILL!, TWO!, '2')];
    expect(stateNode(state, own({ holders }), facts).inUse).toBe(true);
    expect(stateNode(state, own({ holders: holders.slice(0, 1) }), facts).inUse).toBe(false);
  });

  it.each([
    [100, 100, false],
    [101, 100, true],
  ])('with %d counted below it says %d, and that there are more: %s', (below, said, ended) => {
    expect(stateNode(state, own({ below }), facts)).toMatchObject({ below: said, countEnded: ended });
  });

  it('of a build has what equals nothing else, each once', () => {
    const without = { build: TWO!, distribution: '', checkpoints: 3, variants: 2, newestAt: 7, agents: [] };
    expect(buildNode(without, [MILL!], true, facts)).toMatchObject({
      ...{ kind: 'build', id: TWO, distributions: [], variants: 2, children: 3, below: 3 },
      ...{ inUse: true, pinned: true },
    });
    const row = {
      id: '1',
      buildId: TWO!,
      variant: 'de',
      workspace: 'build_data',
      label: '.end_iso',
      takenAt: 4,
    };
    const known = { ...row, distribution: null, user: null, trusted: null };
    const rows = [
      { ...known, agentId: LIME! },
      { ...known, agentId: MILL!, takenAt: 5 },
    ] as const;
    expect(checkpointNode(rows, false, facts)).toMatchObject({
      ...{ kind: 'checkpoint', id: 'b-two.1', before: null, lane: 'main', variant: 'de', newestAt: 5 },
      ...{ children: 0, inUse: true },
    });
  });
});
