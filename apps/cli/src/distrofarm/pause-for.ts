import { setTimeout as delay } from 'node:timers/promises';

/** Waits; throws the signal's reason when that comes first. */
export async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}
