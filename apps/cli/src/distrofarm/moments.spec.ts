import { describe, expect, it } from '@jest/globals';
import { dateTime, parseMoment } from './moments.js';

describe('moments', () => {
  it.each([
    ['10m', 400_000],
    ['2026-11-24T10:00:00Z', Date.UTC(2026, 10, 24, 10)],
    ['yesterday', null],
    ['2026-99-99', null],
  ])('parses %s', (text, at) => {
    expect(parseMoment(text, 1_000_000)).toBe(at);
  });

  it('shows local time', () => {
    expect(dateTime(new Date(2026, 0, 2, 3, 4, 5).getTime())).toBe('2026-01-02 03:04:05');
  });
});
