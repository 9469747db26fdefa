import { describe, expect, it } from '@jest/globals';
import { StepRunner, type StepOutcome } from '#libs/engine';
import type { FingerprintResult } from '#libs/steps';
import { planOf } from '../../../../libs/plan/src/testing.js';
import { FingerprintWatch } from './fingerprint-watch.js';

const [WAS, IS] = ['a'.repeat(64), 'b'.repeat(64)];
const known = (output: string): FingerprintResult => ({ ok: true, output });
const FAILED: FingerprintResult = { ok: false, kind: 'exited', reason: 'no route' };
const SUCCEEDED: StepOutcome = { kind: 'succeeded' };

/** What is told of a step, in order. */
async function told(outcome: StepOutcome, expected: string | null, ...answers: FingerprintResult[]) {
  const [step] = planOf(['im-pop']).steps;
  if (step === undefined) throw new Error('one step expected');
  const events: string[] = [];
  const inner = new (class extends StepRunner {
    override run(): Promise<StepOutcome> {
      events.push('ran');
      return Promise.resolve(outcome);
    }
  })();
  const watch = new FingerprintWatch(inner, {
    expected: new Map(expected === null ? [] : [[step.index, expected]]),
    ask: () => {
      events.push('asked');
      return Promise.resolve(answers.shift() ?? FAILED);
    },
    onMoved: (_, why) => events.push(why),
  });
  const ended = await watch.run(step, { name: 'w', path: '/w' }, new AbortController().signal);
  expect(ended).toBe(outcome);
  return events;
}

describe('FingerprintWatch', () => {
  it.each<[string, StepOutcome, string | null, FingerprintResult, readonly string[]]>([
    ['the same', SUCCEEDED, WAS, known(WAS), ['ran', 'asked']],
    [
      'another one',
      SUCCEEDED,
      WAS,
      known(IS),
      ['ran', 'asked', 'the fingerprint of im-pop changed while it ran, from aaaaaaaaaaaa to bbbbbbbbbbbb'],
    ],
    [
      'none that can be had',
      SUCCEEDED,
      WAS,
      FAILED,
      [
        'ran',
        'asked',
        'asked',
        'nobody knows whether the fingerprint of im-pop changed while it ran: no route',
      ],
    ],
    ['a step without one', SUCCEEDED, null, known(IS), ['ran']],
    ['a step that failed', { kind: 'exited', status: 1 }, WAS, known(IS), ['ran']],
  ])('%s', async (_, outcome, expected, now, events) => {
    expect(await told(outcome, expected, now)).toEqual(events);
  });

  it('asks again where it could not be had at first', async () => {
    expect(await told(SUCCEEDED, WAS, FAILED, known(WAS))).toEqual(['ran', 'asked', 'asked']);
  });
});
