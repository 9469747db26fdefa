import { describe, expect, it } from '@jest/globals';
import type { BuildState, JobState, Wish } from '#libs/contracts';
import { summariseBuild } from './summarise-build.js';

interface Job {
  readonly state: JobState;
  readonly lane?: string;
  readonly reason?: string;
  readonly step?: string;
}

function summary(
  state: BuildState,
  jobs: readonly Job[],
  wish: Wish = 'run',
  pauseBefore: string | null = null,
  asking?: string,
) {
  const counts = new Map<JobState, number>();
  for (const job of jobs) counts.set(job.state, (counts.get(job.state) ?? 0) + 1);
  const example = (wanted: JobState) => {
    const job = jobs.find((each) => each.state === wanted);
    return job === undefined
      ? null
      : { lane: job.lane ?? 'main', reason: job.reason ?? '', step: job.step ?? null };
  };
  return summariseBuild({ state, wish, pause_before: pauseBefore }, { counts, example }, asking);
}

describe('summariseBuild', () => {
  it.each<[string, string]>([
    [summary('running', [{ state: 'running', step: 'im-pop' }]), 'runs im-pop'],
    [summary('running', [{ state: 'assigned', lane: 'x86-64' }]), 'runs x86-64'],
    [
      summary('running', [{ state: 'running', step: 'a' }, { state: 'running' }, { state: 'assigned' }]),
      'runs a and 2 more',
    ],
    [summary('running', [{ state: 'running', step: 'a' }], 'pause'), 'runs a; pauses when they end'],
    [summary('running', [{ state: 'running', step: 'a' }], 'cancel'), 'runs a; is being cancelled'],
    [summary('waiting', [{ state: 'waiting', reason: '0 of 2 agents match' }]), '0 of 2 agents match'],
    [summary('waiting', [{ state: 'blocked' }], 'run', null, 'waits for x'), 'waits for x'],
    [summary('failed', [{ state: 'failed', step: 'iso' }]), 'failed in iso'],
    [summary('failed', [{ state: 'failed', reason: 'lost; given up' }]), 'lost; given up'],
    [summary('paused', [{ state: 'paused' }]), 'paused'],
    [summary('paused', [{ state: 'paused' }], 'run', 'iso'), 'paused before iso'],
    [summary('succeeded', [{ state: 'succeeded' }]), 'succeeded'],
    [summary('cancelled', [{ state: 'cancelled' }]), 'cancelled'],
    [
      summary('succeeded', [{ state: 'succeeded' }, { state: 'failed', step: 'iso' }, { state: 'blocked' }]),
      'succeeded; an optional variant failed in iso',
    ],
    [summary('succeeded', [{ state: 'failed' }]), 'succeeded; an optional variant failed'],
    [
      summary('succeeded', [{ state: 'succeeded' }, { state: 'failed', step: 'iso' }, { state: 'failed' }]),
      'succeeded; 2 jobs of optional variants failed',
    ],
  ])('%s', (found, expected) => {
    expect(found).toBe(expected);
  });
});
