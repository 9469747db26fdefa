import { setTimeout as sleep } from 'node:timers/promises';

/** At most a fifth of the time is spent on making plans. */
const REST_SHARE = 4;

export interface KeptPlanOptions<P> {
  /** From what is on record when it is called. */
  readonly make: () => Promise<P>;
  /** For how long one is good when nobody has said that anything changed. Milliseconds. */
  readonly freshMs: number;
  readonly now: () => number;
}

/**
 * The newest of plans that take a while to make and are made over and over. Several may be on their way at the same time; what counts is which of them has begun last, not
 * which has ended last: that one has seen more of the record.
 */
export class KeptPlan<P> {
  #newest: Made<P> | null = null;
  /** The one that began last, while it is being made. */
  #making: Promise<P> | null = null;
  #begun = 0;
  /** One that waits for its time to begin; those that ask meanwhile share it. */
  #coming: Promise<P> | null = null;
  /** Since the last one began, as far as anybody has said. */
  #hasChanged = true;
  #restUntil = 0;

  constructor(private readonly options: KeptPlanOptions<P>) {}

  /** What is on record is not what it was. */
  noteChange(): void {
    this.#hasChanged = true;
  }

  get newest(): P | null {
    return this.#newest?.plan ?? null;
  }

  /** The newest, while it is fresh, whatever has changed since. */
  get recent(): P | null {
    const newest = this.#newest;
    return newest !== null && this.options.now() - newest.at < this.options.freshMs ? newest.plan : null;
  }

  /** Made after the question, or with nothing changed since it was begun. */
  async get(): Promise<P> {
    if (!this.#hasChanged) {
      const known = this.#making ?? this.recent;
      if (known !== null) return await known;
    }
    this.#coming ??= this.#rest().then(async () => {
      // Who asks from here on may know of something that this one does not.
      this.#coming = null;
      return await this.make();
    });
    return await this.#coming;
  }

  /** A new one. Rejects with what `make` throws. */
  async make(): Promise<P> {
    this.#hasChanged = false;
    const turn = (this.#begun += 1);
    const at = this.options.now();
    const startedAt = performance.now();
    const making = this.options.make();
    this.#making = making;
    try {
      const plan = await making;
      if (turn > (this.#newest?.turn ?? 0)) this.#newest = { turn, at, plan };
      return plan;
    } catch (error) {
      this.#hasChanged = true;
      throw error;
    } finally {
      if (turn === this.#begun) this.#making = null;
      const now = performance.now();
      this.#restUntil = now + (now - startedAt) * REST_SHARE;
    }
  }

  async #rest(): Promise<void> {
    const restMs = this.#restUntil - performance.now();
    if (restMs > 0) await sleep(restMs);
  }
}

interface Made<P> {
  /** How many had begun by then. */
  readonly turn: number;
  readonly at: number;
  readonly plan: P;
}
