import { describe, expect, it } from '@jest/globals';
import { refusalOf } from './refusal-of.js';

const farms = (part: object): string =>
  JSON.stringify({
    code: 'NOT_FOUND',
    message: 'there is no build "b-1"',
    hint: null,
    problems: [],
    ...part,
  });

describe('a refusal', () => {
  it("is told in the farm's own words", () => {
    expect(
      refusalOf(404, null, farms({ hint: 'distrofarm list shows them.', problems: ['a', 'b'] })),
    ).toMatchObject({
      code: 'NOT_FOUND',
      status: 404,
      message: 'there is no build "b-1"',
      hint: 'distrofarm list shows them.',
      problems: ['a', 'b'],
      retryAfterMs: null,
    });
  });

  it.each([
    [500, null, '', 'the farm answered with status 500, and no reason', null],
    [500, null, '<h1>Internal</h1>', 'the farm answered with status 500, and no reason', null],
    [
      500,
      null,
      '{"message":5,"hint":{},"problems":"x"}',
      'the farm answered with status 500, and no reason',
      null,
    ],
    [
      404,
      null,
      'null',
      'the farm has nothing at this address of its API',
      'It may be of another version than the page: load the page anew.',
    ],
    [413, null, '', 'what was sent is larger than the farm, or what is in front of it, takes', null],
    [429, '30', '', 'the farm was asked too often', 'Try again in 30 s.'],
    [
      429,
      'Wed, 21 Oct 2026 07:28:00 GMT',
      '',
      'the farm was asked too often',
      'Wait a moment, and try again.',
    ],
    [
      503,
      '5',
      farms({ message: 'the database does not answer' }),
      'the database does not answer',
      'Try again in 5 s.',
    ],
    [502, null, '<html>', 'the proxy in front of the farm does not reach it', null],
  ])('of status %d, Retry-After %j and body %j says: %s', (status, retryAfter, body, message, hint) => {
    expect(refusalOf(status, retryAfter, body)).toMatchObject({ message, hint });
  });

  it('says for how long it wants to be left alone, within reason', () => {
    expect(refusalOf(429, '7', '').retryAfterMs).toBe(7000);
    expect(refusalOf(429, '999999999', '').retryAfterMs).toBe(3_600_000);
  });

  it('shows what is not seen in its words', () => {
    expect(refusalOf(400, null, farms({ message: 'a\u202eb', problems: ['\u001b[2J'] }))).toMatchObject({
      message: 'a⟨U+202E⟩b',
      problems: ['␛[2J'],
    });
  });
});
