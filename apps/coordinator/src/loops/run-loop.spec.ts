import { describe, expect, it } from '@jest/globals';
import { RunningLoop } from './run-loop.js';

const HOUR_MS = 3_600_000;

/** A loop whose passes are counted; `until(n)` resolves when the n-th has begun. */
function counted(pass: (count: number) => Promise<void> = () => Promise.resolve()) {
  let count = 0;
  const waiting: { readonly at: number; readonly resolve: () => void }[] = [];
  const stop = new AbortController();
  const errors: unknown[] = [];
  const loop = new RunningLoop(
    {
      name: 'counted',
      everyMs: HOUR_MS,
      pass: async () => {
        count += 1;
        for (const { at, resolve } of waiting) if (count >= at) resolve();
        await pass(count);
      },
    },
    stop.signal,
    (_, error) => errors.push(error),
  );
  const until = async (at: number): Promise<void> => {
    if (count < at) await new Promise<void>((resolve) => waiting.push({ at, resolve }));
  };
  return { loop, stop, errors, until, passes: () => count };
}

describe('RunningLoop', () => {
  it('makes a pass at once, and the next when it is woken', async () => {
    const { loop, stop, until, passes } = counted();
    await until(1);
    loop.wake();
    await until(2);
    stop.abort();
    await loop.ended;
    expect(passes()).toBe(2);
  });

  it('looks again when it was woken during a pass, which may have looked already', async () => {
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const { loop, stop, until } = counted(async (count) => {
      if (count === 1) await held;
    });
    await until(1);
    loop.wake();
    letGo();
    await until(2);
    stop.abort();
    await loop.ended;
  });

  it('tells what a pass throws, and goes on', async () => {
    const { loop, stop, errors, until } = counted((count) =>
      count === 1 ? Promise.reject(new Error('no database')) : Promise.resolve(),
    );
    await until(1);
    loop.wake();
    await until(2);
    expect(errors).toEqual([new Error('no database')]);
    stop.abort();
    await loop.ended;
  });

  it('ends with its signal, also while it waits', async () => {
    const { loop, stop, until } = counted();
    await until(1);
    stop.abort();
    await loop.ended;
  });
});
