export interface Loop {
  readonly name: string;
  /** Longest time between two passes. */
  readonly everyMs: number;
  /** One pass. What it throws is told to `onError`, and the loop goes on. */
  readonly pass: () => Promise<void>;
}

/** A pass that took long is not repeated at once, however often it is woken: at most a fifth of the time is spent on it. */
const REST_SHARE = 4;
/** What wakes a loop comes in bursts; one pass takes them together. */
const GATHER_MS = 10;

/** Makes passes until the signal: the next one after `everyMs`, or soon after `wake` was called. Never two at a time. */
export class RunningLoop {
  #wake: () => void = () => undefined;
  #isWoken = false;
  readonly ended: Promise<void>;

  constructor(loop: Loop, signal: AbortSignal, onError: (loop: string, error: unknown) => void) {
    this.ended = this.#run(loop, signal, onError);
  }

  /** Asks for a pass soon; also while one runs, which may have looked already. */
  wake(): void {
    this.#isWoken = true;
    this.#wake();
  }

  async #run(
    { name, everyMs, pass }: Loop,
    signal: AbortSignal,
    onError: (loop: string, error: unknown) => void,
  ): Promise<void> {
    while (!signal.aborted) {
      this.#isWoken = false;
      const startedAt = performance.now();
      try {
        await pass();
      } catch (error) {
        onError(name, error);
      }
      const tookMs = performance.now() - startedAt;
      await this.#pause(Math.max(GATHER_MS, tookMs * REST_SHARE), signal);
      if (!this.#wasWoken()) await this.#pause(everyMs, signal, true);
    }
  }

  #wasWoken(): boolean {
    return this.#isWoken;
  }

  async #pause(ms: number, signal: AbortSignal, untilWoken = false): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wake = () => undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done, { once: true });
      if (untilWoken) this.#wake = done;
    });
  }
}
