import { describe, expect, it } from '@jest/globals';
import { explainJob } from './explain-job.js';
import type { CandidateAgent, PlacementInput, WaitingJob } from './placement-input.js';
import { agentId, agentOf, GB, inputOf, jobId, jobOf, NOW } from './testing.js';

/** The verdict per agent on the job `x`. */
function verdicts(
  jobs: readonly WaitingJob[],
  agents: readonly CandidateAgent[],
  over: Partial<PlacementInput> = {},
): Record<string, string> {
  const explanation = explainJob(inputOf(jobs, agents, over), jobId('x'))!;
  return Object.fromEntries(explanation.agents.map(({ name, verdict }) => [name, verdict]));
}

describe('explainJob', () => {
  it('says of each agent what speaks against it', () => {
    const until = Date.UTC(2027, 0, 2, 3, 4, 5);
    const agents = [
      agentOf('arm', { architectures: ['arm64'] }),
      agentOf('broken', { state: 'quarantined', until }),
      agentOf('bare', { tools: [] }),
      agentOf('drained', { state: 'drained', reason: 'bob: new disk' }),
      agentOf('gpu', { labels: ['only:gpu'] }),
      agentOf('gone', { state: 'revoked' }),
      agentOf('paused', { state: 'paused', reason: 'bob: lunch', until }),
      agentOf('small', { freeBytes: 1 }),
    ];
    expect(
      verdicts([jobOf('x', { requires: { architecture: 'i386', tools: ['xorriso'] } })], agents),
    ).toEqual({
      arm: 'wrong architecture: has arm64, needs i386',
      broken: 'quarantined after failures, until 2027-01-02T03:04:05.000Z',
      bare: 'lacks tool `xorriso`',
      drained: 'drained by bob: new disk',
      gpu: 'takes only jobs that require label `gpu`',
      paused: 'paused by bob: lunch, until 2027-01-02T03:04:05.000Z',
      small: 'needs 1.0 GB more free space',
    });
  });

  it('says where it goes, and of the others why not', () => {
    const agents = [
      agentOf('a', { running: 1 }),
      agentOf('b'),
      agentOf('c', { running: 4 }),
      agentOf('d', { slots: 1, running: 1 }),
      agentOf('e'),
    ];
    expect(verdicts([jobOf('x', { avoid: [agentId('e')] })], agents)).toEqual({
      a: 'free; another agent suits it better',
      b: 'gets it next',
      c: 'all 4 slots are in use',
      d: 'its slot is in use',
      e: 'avoided: the job failed there, and others can run it',
    });
  });

  it('says of a free agent who comes first', () => {
    const ahead = ['1', '2', '3'].map((name) => jobOf(name, { createdAt: NOW - 1 }));
    const agents = [agentOf('a', { slots: 3 })];
    expect(verdicts([...ahead, jobOf('x')], agents)).toEqual({
      a: 'free in principle, but 3 jobs are ahead',
    });
  });

  it('says of a free agent whose space is taken', () => {
    const ahead = jobOf('1', { createdAt: NOW - 1, requires: { freeBytes: 99.5 * GB } });
    expect(verdicts([ahead, jobOf('x')], [agentOf('a')])).toEqual({
      a: 'free, but its space goes to others: 1 job is ahead',
    });
  });

  it('says of a free agent that the user has enough', () => {
    const over = { runningByUser: new Map([['alice', 3]]), limits: { runningPerUser: 3 } };
    expect(verdicts([jobOf('x')], [agentOf('a')], over)).toEqual({
      a: 'free, but alice already runs 3 jobs, the limit',
    });
  });

  it('knows nothing of a job that does not wait', () => {
    expect(explainJob(inputOf([], []), jobId('x'))).toBeNull();
  });
});
