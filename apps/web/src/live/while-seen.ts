/** Whoever only looks elsewhere for a moment finds all as it was. */
const UNSEEN_MS = 30_000;

/**
 * Runs something while this tab is seen, and again when it is seen again. A browser has six connections to a farm that speaks HTTP/1.1, for all its
 * tabs: each that follows in the background takes one from the tab that is looked at. Returns what ends it.
 */
export function whileSeen(run: (signal: AbortSignal) => void): () => void {
  let running: AbortController | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = (): void => {
    running?.abort();
    running = null;
  };
  const look = (): void => {
    clearTimeout(timer);
    if (document.visibilityState === 'hidden') {
      timer = setTimeout(stop, UNSEEN_MS);
    } else if (running === null) {
      running = new AbortController();
      run(running.signal);
    }
  };
  document.addEventListener('visibilitychange', look);
  look();
  return () => {
    document.removeEventListener('visibilitychange', look);
    clearTimeout(timer);
    stop();
  };
}
