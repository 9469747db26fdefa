import { describe, expect, it } from '@jest/globals';
import { WakeUp } from './wake-up.js';

const LONG_MS = 60_000;

describe('WakeUp', () => {
  it('loses no wake-up that comes while nobody waits', async () => {
    const wakeUp = new WakeUp(LONG_MS, new AbortController().signal);
    wakeUp.wake();
    wakeUp.wake();
    expect(await wakeUp.next()).toBe(true);
    const next = wakeUp.next();
    wakeUp.wake();
    expect(await next).toBe(true);
    wakeUp.stop();
  });

  it('ends with the time, the signal, or when it is stopped', async () => {
    expect(await new WakeUp(1, new AbortController().signal).next()).toBe(false);
    const abort = new AbortController();
    const wakeUp = new WakeUp(LONG_MS, abort.signal);
    const next = wakeUp.next();
    abort.abort();
    expect(await next).toBe(false);
    expect(await wakeUp.next()).toBe(false);
    wakeUp.stop();
    const aborted = new WakeUp(LONG_MS, AbortSignal.abort());
    aborted.wake();
    expect(await aborted.next()).toBe(false);
    aborted.stop();
    const stopped = new WakeUp(LONG_MS, new AbortController().signal);
    const last = stopped.next();
    stopped.stop();
    expect(await last).toBe(false);
  });
});
