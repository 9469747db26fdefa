import { describe, expect, it } from '@jest/globals';
import { EventEmitter, once } from 'node:events';
import type { PartEnd } from './farm-part.js';
import { keepRunning, restartDelayMs } from './keep-running.js';

/** A part that ends when the test says so. */
class ScriptedPart {
  starts = 1;
  readonly #ends = new EventEmitter();
  #end: Promise<unknown> = once(this.#ends, 'end');

  start(): void {
    this.starts += 1;
    this.#end = once(this.#ends, 'end');
  }

  async ended(): Promise<PartEnd> {
    await this.#end;
    return { status: 1, signal: null };
  }

  end(): void {
    this.#ends.emit('end');
  }
}

const noWait = async (): Promise<void> => Promise.resolve();

describe('keepRunning', () => {
  it.each([
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
    [7, 60_000],
    [50, 60_000],
  ])('waits after %d ends in a row for %d ms', (ends, delayMs) => {
    expect(restartDelayMs(ends)).toBe(delayMs);
  });

  it('starts a part again, and begins to count anew after it ran well', async () => {
    const part = new ScriptedPart();
    const stop = new AbortController();
    const delays: number[] = [];
    let clock = 0;
    part.end();
    await keepRunning(part, {
      signal: stop.signal,
      now: () => clock,
      wait: noWait,
      onEnd: async (_end, delayMs) => {
        delays.push(delayMs);
        if (delays.length === 2) stop.abort();
        return Promise.resolve();
      },
      onStart: async () => {
        clock += 60_000;
        part.end();
        return Promise.resolve();
      },
    });
    expect(delays).toEqual([1_000, 1_000]);
    expect(part.starts).toBe(2);
  });

  it('starts nothing after the farm has stopped', async () => {
    const part = new ScriptedPart();
    const stop = new AbortController();
    const kept = keepRunning(part, {
      signal: stop.signal,
      now: () => 0,
      wait: noWait,
      onEnd: async () => {
        stop.abort();
        return Promise.resolve();
      },
      onStart: async () => Promise.resolve(),
    });
    part.end();
    await kept;
    expect(part.starts).toBe(1);
  });
});
