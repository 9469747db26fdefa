import { describe, expect, it } from '@jest/globals';
import type { BuildChanges, JobId } from '#libs/contracts';
import { buildOf, jobOf, stepOf } from '../../../../libs/watch/src/testing.js';
import { withChanges } from './with-changes.js';

const id = (name: string): JobId => `j-${name}` as JobId;
const known = buildOf({
  eventSeq: 7,
  jobs: [
    jobOf({ id: id('a'), steps: [stepOf({ state: 'running' })] }),
    jobOf({ id: id('b'), state: 'waiting', waitingReason: 'no agent is free' }),
    jobOf({ id: id('c'), state: 'blocked' }),
  ],
});

function changesOf(part: Partial<BuildChanges>): BuildChanges {
  return { ...buildOf({ eventSeq: 9 }), standings: [], ...part };
}

describe('withChanges', () => {
  it('takes the jobs that changed, and leaves the others the objects that they were', () => {
    const job = jobOf({ id: id('a'), steps: [stepOf({ state: 'succeeded' })] });
    const next = withChanges(known, changesOf({ jobs: [job], summary: 'runs b' }));
    expect(next).toMatchObject({ eventSeq: 9, summary: 'runs b' });
    expect(next.jobs[0]).toBe(job);
    expect(next.jobs.slice(1)).toEqual(known.jobs.slice(1));
    expect(next.jobs[1]).toBe(known.jobs[1]);
  });

  it('takes why a job waits, of which no event tells', () => {
    const standings = [
      { state: 'waiting', waitingReason: 'behind another build', jobs: [id('b'), id('c')] } as const,
    ].map((each) => ({ ...each, jobs: [...each.jobs] }));
    const [a, b, c] = withChanges(known, changesOf({ standings })).jobs;
    expect(a).toBe(known.jobs[0]);
    expect(b).toMatchObject({ state: 'waiting', waitingReason: 'behind another build' });
    expect(c).toMatchObject({ state: 'waiting', waitingReason: 'behind another build' });
  });
});
