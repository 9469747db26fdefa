import type { PartEnd } from './farm-part.js';

/** What keeps ending at once is tried less and less often. */
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;
/** A part that ran for so long had started well: its end is the first of a new row. */
const STEADY_MS = 60_000;

export interface Restartable {
  start(): void;
  ended(): Promise<PartEnd>;
}

export interface KeepRunningOptions {
  /** Aborted when the farm stops. */
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** Waits, and no longer than until the signal aborts. Default: `pause`. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** It ended, and starts again in so many milliseconds. */
  readonly onEnd: (end: PartEnd, delayMs: number) => Promise<void>;
  /** It was started again; resolves when it works. The signal says that nobody waits any more. */
  readonly onStart: (signal: AbortSignal) => Promise<void>;
}

/** How long to wait after so many ends in a row, from 1. */
export function restartDelayMs(ends: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (ends - 1));
}

/** Starts a part again whenever it ends, until the farm stops. Starts nothing after that. */
export async function keepRunning(part: Restartable, options: KeepRunningOptions): Promise<void> {
  const { signal, now, wait = pause } = options;
  const hasStopped = (): boolean => signal.aborted;
  let ends = 0;
  let since = now();
  while (!hasStopped()) {
    const end = await Promise.race([part.ended(), aborted(signal)]);
    if (end === null || hasStopped()) return;
    ends = now() - since >= STEADY_MS ? 1 : ends + 1;
    const delayMs = restartDelayMs(ends);
    await options.onEnd(end, delayMs);
    await wait(delayMs, signal);
    if (hasStopped()) return;
    part.start();
    since = now();
    const done = new AbortController();
    const started = options.onStart(AbortSignal.any([signal, done.signal]));
    await Promise.race([started, part.ended(), aborted(signal)]);
    done.abort();
    await started;
  }
}

async function aborted(signal: AbortSignal): Promise<null> {
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return null;
}

/** Shorter when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
