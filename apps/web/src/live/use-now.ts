import { useSyncExternalStore } from 'react';
import { farmClock } from './farm-clock.js';

const TICK_MS = 1_000;
const listeners = new Set<() => void>();
let now = farmClock.now();
let timer: ReturnType<typeof setInterval> | null = null;

function subscribe(listener: () => void): () => void {
  // Nobody has kept it while nobody looked.
  if (timer === null) now = farmClock.now();
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = farmClock.now();
    for (const tell of listeners) tell();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  };
}

/** The farm's time in milliseconds, once a second, the same for everybody on the page. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}
