import { describe, expect, it } from '@jest/globals';
import { FarmClock } from './farm-clock.js';

const NOON = Date.UTC(2026, 10, 24, 12);

describe('the clock of the farm', () => {
  it.each([
    ['the same', 'Tue, 24 Nov 2026 12:00:00 GMT', NOON],
    ['a little behind: that is the way and the form', 'Tue, 24 Nov 2026 11:59:58 GMT', NOON],
    ['an hour ahead', 'Tue, 24 Nov 2026 13:00:00 GMT', NOON + 3_600_000],
    ['a minute behind', 'Tue, 24 Nov 2026 11:59:00 GMT', NOON - 60_000],
    ['not said', null, NOON],
    ['no time', 'soon', NOON],
  ])('is %s', (_, date, now) => {
    const clock = new FarmClock(() => NOON);
    clock.note(date);
    expect(clock.now()).toBe(now);
  });
});
