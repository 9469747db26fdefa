import { retryDelays } from '#libs/event-stream';
import { ApiError, Unreachable } from '#libs/http-client';
import { setTimeout as sleep } from 'node:timers/promises';

/** An outage ends at some time, and then an agent should not wait much longer. */
const LONGEST_DELAY_MS = 15_000;
const FIRST_DELAY_MS = 200;

/**
 * Calls until there is an answer: again after network errors, 5xx and "too many", with growing delays, for as long as the signal lets it. What the coordinator
 * refuses is thrown at once.
 */
export async function persistently<T>(
  call: () => Promise<T>,
  signal: AbortSignal,
  onFailure: (error: Error) => void = () => {},
): Promise<T> {
  for (const delayMs of retryDelays({ firstMs: FIRST_DELAY_MS, maxMs: LONGEST_DELAY_MS })) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
      onFailure(error);
    }
    await pause(delayMs, signal);
  }
  throw new Error('unreachable: the delays have no end');
}

/** Whether the same call may succeed later. */
export function mayPass(error: unknown): error is Unreachable | ApiError {
  if (error instanceof Unreachable) return true;
  return error instanceof ApiError && (error.status >= 500 || error.status === 429 || error.status === 408);
}

/** Throws the signal's reason when it is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}
