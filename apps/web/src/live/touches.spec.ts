import { describe, expect, it } from '@jest/globals';
import type { BuildId, FarmEvent } from '#libs/contracts';
import { touches } from './touches.js';

const build = 'b-0000000001' as BuildId;
const event = (part: Partial<FarmEvent>): FarmEvent => ({
  seq: 1,
  at: 0,
  type: 'step-ended',
  build: null,
  job: null,
  attempt: null,
  agent: null,
  data: {},
  ...part,
});

describe('what an event touches', () => {
  it.each([
    [{ build }, '/builds?state=running', true],
    [{ build }, `/builds/${build}`, true],
    [{ build }, `/builds/${build}/artifacts`, true],
    [{ build }, `/builds/${build}/takeovers`, false],
    [{ type: 'resumed', build }, `/builds/${build}/takeovers`, true],
    [{ build }, '/builds/b-0000000002', false],
    [{ build }, '/builds/latest', true],
    [{ build }, '/whoami', false],
    [{ build, attempt: 't-0000000001' as FarmEvent['attempt'] }, '/agents', true],
    [{ type: 'agent-lost', agent: 'a-0000000001' as FarmEvent['agent'] }, '/agents/one', true],
    [{ type: 'agent-lost', agent: 'a-0000000001' as FarmEvent['agent'] }, '/builds?limit=3', false],
    [{ type: 'agent-lost', agent: 'a-0000000001' as FarmEvent['agent'] }, '/checkpoints?agent=one', true],
    [{ type: 'checkpoint-taken', build }, '/checkpoints/trie?build=x', true],
    [{ type: 'checkpoints-pinned', build }, '/checkpoints/pins', true],
    [{ type: 'step-started', build }, '/checkpoints/trie', false],
    [{ type: 'transfer-progress', build }, `/builds/${build}`, false],
  ] as const)('%j and %s: %s', (part, path, expected) => {
    expect(touches(event(part), path)).toBe(expected);
  });
});
