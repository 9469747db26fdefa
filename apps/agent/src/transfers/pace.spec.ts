import { describe, expect, it } from '@jest/globals';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { Pace } from './pace.js';

describe('a paced stream', () => {
  const clock = { now: 0, used: 0 };
  const paceOn = (processors: number): Pace => {
    Object.assign(clock, { now: 0, used: 0 });
    return new Pace({
      isBusy: () => true,
      usedMs: () => clock.used,
      now: () => clock.now,
      processors: () => processors,
    });
  };

  it.each([
    [1, 250],
    [4, 62.5],
  ])('on %d processors rests for %d ms after 10 ms of work', (processors, waitMs) => {
    const pace = paceOn(processors);
    clock.used = 10;
    expect(pace.waitMs()).toBe(waitMs);
    clock.now = waitMs;
    expect(pace.waitMs()).toBe(0);
  });

  it('never rests for more than a second at a time', () => {
    const pace = paceOn(1);
    clock.used = 10_000;
    expect(pace.waitMs()).toBe(1_000);
  });

  it('does not make up for what it did not use', () => {
    const pace = paceOn(1);
    clock.now = 60_000;
    expect(pace.waitMs()).toBe(0);
    clock.used = 10;
    expect(pace.waitMs()).toBe(250);
  });

  it('passes everything on, and does not rest where nothing is slowed by it', async () => {
    const pace = new Pace({ isBusy: () => false, usedMs: () => 1e9 * performance.now() });
    const chunks: Buffer[] = [];
    await pipeline(Readable.from([Buffer.from('a'), Buffer.from('b')]), pace, async (passed) => {
      for await (const chunk of passed) chunks.push(chunk as Buffer);
    });
    expect(Buffer.concat(chunks).toString()).toBe('ab');
  });
});
