import { describe, expect, it } from '@jest/globals';
import type { BuildId } from '#libs/contracts';
import type { AgentSpace } from './collect-policy.js';
import { dropReplicas, type HeldArea } from './drop-replicas.js';
import { agentId, GB, NOW } from './testing.js';

function agentWith(name: string, freeBytes: number, over: Partial<AgentSpace> = {}): AgentSpace {
  return { id: agentId(name), name, freeBytes, floorBytes: 10 * GB, isDropping: false, ...over };
}

function heldBy(agent: string, build: string, over: Partial<HeldArea> = {}): HeldArea {
  return {
    agent: agentId(agent),
    build: `b-${build}` as BuildId,
    variant: 'default',
    isInUse: false,
    checkpoints: [`${build}1`, `${build}2`],
    newestAt: NOW,
    ...over,
  };
}

const [short, roomy] = [agentWith('short', GB), agentWith('roomy', 50 * GB)];

describe('an agent short of space', () => {
  const dropped = (
    areas: readonly HeldArea[],
    agents = [short, roomy],
    staying = ['short', 'roomy'],
  ): readonly string[] =>
    dropReplicas(agents, areas, new Set(staying.map(agentId))).map(
      ({ agent, build }) => `${build} on ${agent}`,
    );

  it('gives up a copy, and says why', () => {
    expect(dropReplicas([short], [heldBy('short', 'x'), heldBy('roomy', 'x')], new Set([roomy.id]))).toEqual([
      {
        agent: short.id,
        build: 'b-x',
        variant: 'default',
        why: 'short gives up its copy of default: it has 1.0 GB free, less than 10 GB',
      },
    ]);
  });

  it('gives up one at a time, the one that has not grown for the longest', () => {
    const all = ['x', 'y', 'z'];
    const own = all.map((build, at) => heldBy('short', build, { newestAt: NOW - (at === 1 ? 9 : at) }));
    expect(dropped([...own, ...all.map((build) => heldBy('roomy', build))])).toEqual(['b-y on a-short']);
  });

  it.each<[string, readonly HeldArea[], AgentSpace[], string[]]>([
    ['what nobody else has', [heldBy('short', 'x')], [short], ['short']],
    [
      'what others have only a part of',
      [heldBy('short', 'x'), heldBy('roomy', 'x', { checkpoints: ['x1'] })],
      [short],
      ['short', 'roomy'],
    ],
    ['what is on an agent that goes', [heldBy('short', 'x'), heldBy('roomy', 'x')], [short], ['short']],
    [
      'what its own job works on',
      [heldBy('short', 'x', { isInUse: true }), heldBy('roomy', 'x')],
      [short],
      ['short', 'roomy'],
    ],
    [
      'more, while it drops something already',
      [heldBy('short', 'x'), heldBy('roomy', 'x')],
      [agentWith('short', GB, { isDropping: true })],
      ['short', 'roomy'],
    ],
    [
      'anything, with room enough',
      [heldBy('short', 'x'), heldBy('roomy', 'x')],
      [agentWith('short', 10 * GB)],
      ['short', 'roomy'],
    ],
  ])('does not give up %s', (_, areas, agents, staying) => {
    expect(dropped(areas, agents, staying)).toEqual([]);
  });

  it('does not rely on what another one gives up', () => {
    const agents = [short, agentWith('other', GB)];
    const areas = [heldBy('short', 'x'), heldBy('other', 'x')];
    expect(dropped(areas, agents, ['short', 'other'])).toEqual(['b-x on a-short']);
  });
});
