import { describe, expect, it } from '@jest/globals';
import { jobsToHandOver } from './hand-over.js';
import type { CandidateAgent } from './placement-input.js';
import { agentId, agentOf, GB, inputOf, jobOf, type JobOver } from './testing.js';

const TANK = agentOf('tank', { state: 'drained', running: 2 });
const OF_ZFS = agentOf('b').peer;

/** Names of the jobs that leave agent `tank`. */
function leaving(jobs: Readonly<Record<string, JobOver>>, ...others: readonly CandidateAgent[]): string {
  const rows = Object.entries(jobs).map(([name, over]) => jobOf(name, over));
  const chosen = jobsToHandOver(inputOf(rows, [TANK, ...others]), TANK.id);
  return [...chosen].map((id) => id.slice(2)).join(' ');
}

describe('what a drained agent gives away', () => {
  it.each<[string, CandidateAgent, JobOver]>([
    ['is drained too', agentOf('b', { state: 'drained' }), {}],
    ['is lost', agentOf('b', { state: 'lost' }), {}],
    ['has no slot', agentOf('b', { slots: 1, running: 1 }), {}],
    ['has not the room', agentOf('b', { freeBytes: 0 }), {}],
    ['lacks a tool', agentOf('b', { tools: [] }), { requires: { tools: ['xorriso'] } }],
    ['has a store of another family', agentOf('b', { peer: { ...OF_ZFS, store: 'btrfs' } }), {}],
    ['fetches from nobody', agentOf('b', { peer: { ...OF_ZFS, listens: false } }), {}],
    ['is where the job failed', agentOf('b'), { avoid: [agentId('b')] }],
    ['is not the one that a person chose', agentOf('b'), { onAgent: agentId('tank') }],
  ])('is nothing when the other one %s', (_, other, over) => {
    expect(leaving({ j: over }, other)).toBe('');
  });

  it('is as much as others have slots and room for', () => {
    const jobs = { a: {}, b: {}, c: {} };
    expect(leaving(jobs, agentOf('b', { slots: 2 }))).toBe('a b');
    expect(leaving(jobs, agentOf('b', { slots: 1 }), agentOf('c', { slots: 1 }))).toBe('a b');
    expect(leaving(jobs, agentOf('b', { freeBytes: 1.5 * GB }))).toBe('a');
  });
});
