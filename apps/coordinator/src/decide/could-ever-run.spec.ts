import { describe, expect, it } from '@jest/globals';
import { couldEverRun } from './could-ever-run.js';
import type { CandidateAgent } from './placement-input.js';
import { agentId, agentOf, GB, jobOf, type JobOver } from './testing.js';

describe('couldEverRun', () => {
  it.each<[string, JobOver, readonly CandidateAgent[]]>([
    ['1 of 1 agents could run it', {}, [agentOf('a')]],
    ['1 of 1 agents could run it', {}, [agentOf('a', { state: 'lost', running: 4, freeBytes: 0 })]],
    ['1 of 1 agents could run it', { onAgent: agentId('b') }, [agentOf('a'), agentOf('b')]],
    [
      '1 of 4 agents could run it: 2 wrong architecture, 1 needs 10 GB more',
      { requires: { freeBytes: 110 * GB } },
      [
        agentOf('a'),
        agentOf('b', { architectures: ['arm64'] }),
        agentOf('c', { architectures: ['arm64'] }),
        agentOf('d', { totalBytes: 100 * GB }),
      ],
    ],
  ])('says %s', (expected, over, agents) => {
    expect(couldEverRun(jobOf('x', over), agents)).toMatchObject({ possible: true, sentence: expected });
  });

  it.each<[string, JobOver, readonly CandidateAgent[]]>([
    ['the farm has no agents', {}, []],
    ['the farm has no agents', {}, [agentOf('a', { state: 'revoked' })]],
    ['agent a-b is not in the farm', { onAgent: agentId('b') }, [agentOf('a')]],
    [
      'needs tool `grub`; no agent has it; nearest is agent tank, which lacks only tool `grub`',
      { requires: { tools: ['grub', 'xorriso'] } },
      [agentOf('arm', { architectures: ['arm64'] }), agentOf('tank')],
    ],
    [
      'needs architecture riscv64; the farm has amd64, arm64 and i386; nearest is agent a, which is for amd64 and i386, not for riscv64',
      { requires: { architecture: 'riscv64' } },
      [agentOf('a'), agentOf('b', { architectures: ['arm64'] })],
    ],
    [
      'needs label `gpu`; no agent has it; needs 600 GB of space; the largest store has 500 GB; nearest is agent a, which lacks label `gpu` and is 100 GB too small',
      { requires: { labels: ['gpu'], freeBytes: 600 * GB } },
      [agentOf('a')],
    ],
    [
      'no agent has all that it needs; nearest is agent a, which lacks only label `gpu`',
      { requires: { labels: ['gpu'], tools: ['grub'] } },
      [agentOf('a', { tools: ['grub'] }), agentOf('b', { labels: ['only:gpu'], architectures: ['arm64'] })],
    ],
    [
      'no agent has all that it needs; nearest is agent a, which takes only jobs that require label `gpu`',
      {},
      [agentOf('a', { labels: ['only:gpu'] })],
    ],
    [
      'it is to run on agent b, which is for arm64, not for amd64',
      { onAgent: agentId('b') },
      [agentOf('a'), agentOf('b', { architectures: ['arm64'] })],
    ],
  ])('refuses: %s', (expected, over, agents) => {
    const answer = couldEverRun(jobOf('x', over), agents);
    expect(answer).toEqual({ possible: false, agents: [], sentence: expected });
  });
});
