import { describe, expect, it } from '@jest/globals';
import type { AgentId, AttemptId, FarmEvent, JobId } from '#libs/contracts';
import { takeoversOf, type TriedJob } from './takeovers.js';

const digits = (number: number): string => String(number).padStart(10, '0');
const attempt = (number: number): AttemptId => `t-${digits(number)}` as AttemptId;
const JOB = `j-${digits(1)}` as JobId;

/** Attempt 1 on `tank` ended a at 10 and b at 20; attempt 2 on another agent goes on. */
function jobOn(second: string): TriedJob {
  const agents = ['tank', 'spare', 'mill'];
  const tried = (number: number, agentName: string, ended: readonly (readonly [number, number])[]) => ({
    attempt: attempt(number),
    agent: `a-${digits(agents.indexOf(agentName))}` as AgentId,
    agentName,
    ended: new Map(ended),
  });
  return {
    id: JOB,
    steps: [
      { index: 3, name: 'a' },
      { index: 5, name: 'b' },
      { index: 6, name: 'c' },
    ],
    tries: [
      tried(1, 'tank', [
        [3, 10],
        [5, 20],
      ]),
      tried(2, second, []),
    ],
  };
}

function eventOf(
  seq: number,
  type: FarmEvent['type'],
  by: number | null,
  data: FarmEvent['data'],
): FarmEvent {
  return {
    seq,
    at: seq * 10,
    type,
    build: null,
    job: JOB,
    attempt: by === null ? null : attempt(by),
    agent: null,
    data,
  };
}

const resumed = (step: string, by = 2) => eventOf(9, 'resumed', by, { step, checkpoint: 'x' });
const fetched = (seq: number, bytes: number, by = 2) =>
  eventOf(seq, 'checkpoint-fetched', by, { checkpoint: `f${seq}`, from: 'mill', bytes, ms: 2 });
const copied = (to: string, checkpoint: string) =>
  eventOf(4, 'checkpoint-replicated', null, { checkpoint, to, from: 'tank', bytes: 70, ms: 7 });

describe('takeovers', () => {
  it.each<[string, readonly FarmEvent[], object | null]>([
    [
      'of what was fetched, with all that had to come',
      [fetched(7, 100), fetched(8, 20), resumed('c')],
      { before: 'c', madeAt: 20, at: 90, carried: { how: 'fetched', source: 'mill', bytes: 120, ms: 4 } },
    ],
    [
      'of what was copied ahead of need',
      [copied('spare', 'x'), resumed('c')],
      { carried: { how: 'copied', source: 'tank', bytes: 70, ms: 7 } },
    ],
    ['of an earlier state', [fetched(8, 20), resumed('b')], { before: 'b', madeAt: 10 }],
    [
      'of what came nobody knows how',
      [copied('mill', 'x'), copied('spare', 'y'), resumed('c')],
      { carried: null },
    ],
    ['not of what another attempt fetched', [fetched(8, 20, 1), resumed('c')], { carried: null }],
    ['not in front of the first step, which nobody of the job made', [fetched(8, 20), resumed('a')], null],
    ['not where an attempt goes on with its own', [resumed('c', 1)], null],
    ['not without going on', [fetched(8, 20)], null],
    ['not in front of what is no step', [resumed('z')], null],
  ])('are told %s', (_, events, expected) => {
    const found = takeoversOf(jobOn('spare'), events);
    if (expected === null) expect(found).toEqual([]);
    else expect(found).toEqual([expect.objectContaining({ from: attempt(1), to: attempt(2), ...expected })]);
  });

  it('are none on the same agent', () => {
    expect(takeoversOf(jobOn('tank'), [fetched(8, 20), resumed('c')])).toEqual([]);
  });
});
