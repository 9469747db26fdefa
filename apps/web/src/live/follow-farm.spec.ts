import { describe, expect, it } from '@jest/globals';
import type { FarmEvent } from '#libs/contracts';
import { NotReached, Refused } from '../session/api-failure.js';
import { followFarm } from './follow-farm.js';

const event = (seq: number): string =>
  `id: ${seq}\ndata: ${JSON.stringify({ seq, type: 'build-ended', data: { name: 'a\u202eb' } })}\n\n`;

/** Each connection is answered by the next of these: text and then its end, or a failure. The last one ends the following. */
async function follow(answers: readonly (string | Error)[], type = 'text/event-stream; charset=utf-8') {
  const asked: string[] = [];
  const told: string[] = [];
  const over = new AbortController();
  const api = {
    open: async (path: string) => {
      asked.push(path);
      const answer = answers[asked.length - 1];
      if (answer === undefined) over.abort();
      if (answer instanceof Error) throw answer;
      return await Promise.resolve(new Response(answer ?? '', { headers: { 'Content-Type': type } }));
    },
  };
  const listener = {
    opened: () => told.push('opened'),
    event: ({ seq }: FarmEvent) => told.push(String(seq)),
    disordered: () => told.push('disordered'),
    lost: (why: string) => told.push(`lost: ${why}`),
  };
  await followFarm(api, listener, over.signal, () => Promise.resolve());
  return { asked: asked.map((path) => path.replace('/events?after=', '')), told };
}

describe('following the farm', () => {
  it('begins behind the newest event, and goes on behind the last that came, however often it breaks', async () => {
    const { asked, told } = await follow([event(7) + event(8), event(9), '']);
    expect(asked).toEqual(['latest', '8', '9', '9']);
    expect(told).toEqual(['opened', '7', '8', 'opened', '9', 'opened', 'opened']);
  });

  it('says why nothing comes, and tries again', async () => {
    const { asked, told } = await follow([event(7), new NotReached('no route'), event(8)]);
    expect(asked).toEqual(['latest', '7', '7', '8']);
    expect(told).toEqual(['opened', '7', 'lost: No route.', 'opened', '8', 'opened']);
  });

  it('does not take half an event', async () => {
    const whole = event(8);
    const { asked, told } = await follow([event(7) + whole.slice(0, -4), whole]);
    expect(asked).toEqual(['latest', '7', '8']);
    expect(told).toEqual(['opened', '7', 'opened', '8', 'opened']);
  });

  it('ends when the token does not hold', async () => {
    const refusal = new Refused('NOT_AUTHENTICATED', 401, 'the token is expired', null, []);
    const { asked, told } = await follow([event(7), refusal, event(8)]);
    expect(asked).toEqual(['latest', '7']);
    expect(told).toEqual(['opened', '7']);
  });

  it('goes on trying when the farm fails, and says so', async () => {
    const failure = new Refused('INTERNAL', 500, 'the coordinator failed at this', null, []);
    const { told } = await follow([event(7), failure, event(8)]);
    expect(told).toEqual(['opened', '7', 'lost: The coordinator failed at this.', 'opened', '8', 'opened']);
  });

  it.each([
    ['a hole', [event(7) + event(9) + event(10)], ['7', '9', 'disordered', '10']],
    ['a hole between two connections', [event(7), event(9)], ['7', 'opened', '9', 'disordered']],
    ['one twice', [event(7) + event(7) + event(8)], ['7', 'disordered', '8']],
    ['a record that was restored', [event(70), event(3) + event(4)], ['70', 'opened', 'disordered', '4']],
  ])(
    'says of %s that events do not follow each other, and tells none twice',
    async (_, answers, expected) => {
      const { told } = await follow(answers);
      expect(told).toEqual(['opened', ...expected, 'opened']);
    },
  );

  it('takes nothing for events that is none', async () => {
    const html = await follow(['<html>'], 'text/html');
    expect(html.told[0]).toMatch(/^lost: Something else than the farm answered: text\/html came/);
    const { told } = await follow(['data: null\n\n', 'data: {"seq":\n\n']);
    expect(told.slice(0, 4)).toEqual([
      'opened',
      'lost: What came is no event of a farm.',
      'opened',
      'lost: The connection broke off.',
    ]);
  });
});
