/** A wait that ends by time, by being woken, or by abort. A wake with nobody waiting ends the next wait at once. */
export class Wakeable {
  #isWoken = false;
  #end: (() => void) | null = null;

  wake(): void {
    this.#isWoken = true;
    this.#end?.();
  }

  /** @param ms `null`: until woken */
  async wait(ms: number | null, signal: AbortSignal): Promise<void> {
    if (!this.#isWoken && !signal.aborted) await this.#sleep(ms, signal);
    this.#isWoken = false;
  }

  async #sleep(ms: number | null, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = ms === null ? undefined : setTimeout(() => end(), ms);
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        this.#end = null;
        resolve();
      };
      this.#end = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }
}
