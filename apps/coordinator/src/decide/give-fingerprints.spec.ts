import { describe, expect, it } from '@jest/globals';
import { mayTake, whomToTell, whyAsking, type OpenAsk } from './give-fingerprints.js';
import type { CandidateAgent } from './placement-input.js';
import { agentId, agentOf, NOW } from './testing.js';

const ASK: OpenAsk = {
  step: 'im-pop',
  requires: { architecture: 'amd64', labels: [], tools: ['xorriso'], freeBytes: 0 },
  onAgent: null,
  agent: null,
  takenAt: null,
  unable: null,
};

/** Taken by agent mill, so many seconds ago. */
function taken(seconds: number, over: Partial<OpenAsk> = {}): OpenAsk {
  return { ...ASK, agent: agentId('mill'), takenAt: NOW - seconds * 1000, ...over };
}

describe('mayTake', () => {
  it.each<[string, OpenAsk, string, Partial<CandidateAgent>, boolean]>([
    ['nobody has it', ASK, 'ready', {}, true],
    ['the agent is full: it takes no slot', ASK, 'ready', { running: 4 }, true],
    ['the agent has no room for the step', ASK, 'ready', { freeBytes: 0 }, true],
    ['the agent is drained', ASK, 'ready', { state: 'drained' }, false],
    ['the agent is lost', ASK, 'ready', { state: 'lost' }, false],
    ['the agent has another architecture', ASK, 'ready', { architectures: ['arm64'] }, false],
    ['the agent lacks the tool', ASK, 'ready', { tools: [] }, false],
    ['the agent is reserved', ASK, 'ready', { labels: ['only:gpu'] }, false],
    ['it is for another agent', { ...ASK, onAgent: agentId('mill') }, 'ready', {}, false],
    ['another asks', taken(59), 'ready', {}, false],
    ['another asks while it is drained', taken(59), 'drained', {}, false],
    ['another has let its term pass', taken(60), 'ready', {}, true],
    ['another could not run it', taken(1, { unable: 'no route' }), 'ready', {}, true],
    ['another is lost', taken(1), 'lost', {}, true],
    ['another is stopping', taken(1), 'leaving', {}, true],
    ['another was revoked', taken(1), 'revoked', {}, true],
  ])('%s', (_, ask, mill, over, expected) => {
    const agent = agentOf('tank', over);
    const agents = [agent, agentOf('mill', { state: mill as CandidateAgent['state'] })];
    expect(mayTake(ask, agent, agents, NOW)).toBe(expected);
  });

  it('gives an agent what it could not run only when nobody took it for a while', () => {
    const mill = agentOf('mill');
    expect(mayTake(taken(1, { unable: 'no route' }), mill, [mill], NOW)).toBe(false);
    expect(mayTake(taken(60, { unable: 'no route' }), mill, [mill], NOW)).toBe(true);
  });
});

describe('whomToTell', () => {
  const farm = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) =>
    agentOf(name, name === 'b' ? { state: 'lost' } : {}),
  );
  const told = (asks: readonly OpenAsk[], turn: number): string =>
    [...whomToTell(asks, farm, turn, NOW)].map((id) => id.slice(2)).join('');

  it('tells a few who may take it, and others the next time', () => {
    expect([0, 1, 2, 3].map((turn) => told([ASK], turn))).toEqual(['acd', 'def', 'gac', 'cde']);
  });

  it('tells nobody of what is being asked for, and each once', () => {
    expect(told([taken(1, { agent: agentId('a') })], 0)).toBe('');
    expect(told([ASK, { ...ASK, onAgent: agentId('g') }, ASK], 0)).toBe('acdg');
    expect([...whomToTell([ASK], [], 1, NOW)]).toEqual([]);
  });
});

describe('whyAsking', () => {
  const tank = agentOf('tank');
  it.each<[readonly OpenAsk[], readonly CandidateAgent[], string]>([
    [
      [taken(3)],
      [tank, agentOf('mill')],
      'waits for the fingerprint of step im-pop (agent mill asks since 3 s)',
    ],
    [
      [taken(3, { unable: 'no route' })],
      [tank, agentOf('mill')],
      'waits for the fingerprint of step im-pop (agent mill could not ask: no route)',
    ],
    [[ASK], [tank], 'waits for the fingerprint of step im-pop (an agent is to ask)'],
    [[ASK, ASK], [tank], 'waits for the fingerprint of step im-pop (an agent is to ask)'],
    [
      [ASK, { ...ASK, step: 'iso' }],
      [tank],
      'waits for the fingerprints of steps im-pop and iso (an agent is to ask)',
    ],
    [
      [ASK],
      [agentOf('tank', { state: 'drained' }), agentOf('arm', { architectures: ['arm64'] })],
      'waits for the fingerprint of step im-pop (no agent that can ask is ready: tank is drained)',
    ],
    [
      [ASK],
      [agentOf('arm', { architectures: ['arm64'] })],
      'waits for the fingerprint of step im-pop (no agent can ask: needs architecture amd64; the farm has arm64; nearest is agent arm, which is for arm64, not for amd64)',
    ],
    [[], [tank], 'the step keys are being worked out'],
  ])('%#', (asks, agents, expected) => {
    expect(whyAsking(asks, agents, NOW)).toBe(expected);
  });
});
