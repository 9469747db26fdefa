/** One at a time per name, in the order of the calls. */
export class Turns {
  private readonly last = new Map<string, Promise<unknown>>();

  /** A call that fails does not stop those behind it. */
  async run<T>(name: string, act: () => Promise<T>): Promise<T> {
    const before = this.last.get(name) ?? Promise.resolve();
    const turn = before.then(act, act);
    this.last.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.last.get(name) === turn) this.last.delete(name);
    }
  }

  isBusy(name: string): boolean {
    return this.last.has(name);
  }

  /** Resolves when those that wait now have ended. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.last.values());
  }
}
