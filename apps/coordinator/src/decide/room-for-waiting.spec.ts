import { describe, expect, it } from '@jest/globals';
import type { CandidateAgent, WaitingJob } from './placement-input.js';
import { roomForWaiting } from './room-for-waiting.js';
import { agentId, agentOf, GB, jobOf } from './testing.js';

const jobOfSize = (gigabytes: number, over: Parameters<typeof jobOf>[1] = {}): WaitingJob =>
  jobOf('x', { ...over, requires: { freeBytes: gigabytes * GB, ...over.requires } });
const agentWith = (name: string, free: number, over: Partial<CandidateAgent> = {}): CandidateAgent =>
  agentOf(name, { freeBytes: free * GB, totalBytes: 50 * GB, ...over });

describe('room for jobs that wait', () => {
  it.each<[string, readonly WaitingJob[], readonly CandidateAgent[], string]>([
    ['none where an agent has it', [jobOfSize(5)], [agentWith('a', 1), agentWith('b', 5)], ''],
    ['on the agent that lacks the least', [jobOfSize(5)], [agentWith('a', 1), agentWith('b', 4)], 'b 5'],
    ['for the job that needs most', [jobOfSize(5), jobOfSize(9)], [agentWith('b', 4)], 'b 9'],
    ['none for a job that asks for none', [jobOfSize(0)], [agentWith('a', 0)], ''],
    ['none in a store that is too small', [jobOfSize(60)], [agentWith('a', 1)], ''],
    [
      'none where the job cannot run',
      [jobOfSize(5, { requires: { labels: ['gpu'] } })],
      [agentWith('a', 1)],
      '',
    ],
    [
      'none where nothing runs',
      [jobOfSize(5)],
      [agentWith('a', 4, { state: 'drained' }), agentWith('b', 1)],
      'b 5',
    ],
    [
      'on the agent that it is for',
      [jobOfSize(5, { onAgent: agentId('a') })],
      [agentWith('a', 1), agentWith('b', 9)],
      'a 5',
    ],
    ['on none without agents', [jobOfSize(5)], [], ''],
  ])('%s', (_, jobs, agents, expected) => {
    const wanted = [...roomForWaiting(jobs, agents)].map(([id, bytes]) => `${id.slice(2)} ${bytes / GB}`);
    expect(wanted.join()).toBe(expected);
  });
});
