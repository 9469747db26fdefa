/**
 * Waiting with a limit, without losing a wake-up: one that comes while nobody waits ends the next wait at once. The time runs from the making.
 */
export class WakeUp {
  #woken = false;
  #over: boolean;
  #resolve: (() => void) | null = null;
  readonly #timer: NodeJS.Timeout;

  constructor(
    limitMs: number,
    private readonly signal: AbortSignal,
  ) {
    this.#over = signal.aborted;
    this.#timer = setTimeout(this.#end, limitMs);
    signal.addEventListener('abort', this.#end, { once: true });
  }

  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  /** True: woken since the last call. False: the time is over, or the signal came. */
  async next(): Promise<boolean> {
    if (!this.#woken && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    }
    this.#resolve = null;
    const woken = this.#woken && !this.#over;
    this.#woken = false;
    return woken;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.signal.removeEventListener('abort', this.#end);
    this.#end();
  }

  readonly #end = (): void => {
    this.#over = true;
    this.#resolve?.();
  };
}
