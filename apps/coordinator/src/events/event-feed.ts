import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { BuildId, FarmEvent } from '#libs/contracts';
import { Wakes } from '#libs/queue';
import { readEvents } from '#libs/store';
import { Store } from '../store.js';
import { EVENTS_CHANNEL } from '../work.js';

const BATCH = 500;
/** Wake-ups are hints that may get lost, so the feed also looks by itself. */
const LOOK_MS = 2_000;
/** Events come in bursts; one look takes them together. */
const GATHER_MS = 20;

/** The event sequence, followed from any position. */
@Injectable()
export class EventFeed implements OnModuleInit, OnModuleDestroy {
  readonly #waiting = new Set<() => void>();
  #stop: (() => void) | null = null;

  constructor(
    private readonly store: Store,
    private readonly wakes: Wakes,
  ) {}

  onModuleInit(): void {
    this.#stop = this.wakes.subscribe(EVENTS_CHANNEL, () => this.#wake());
  }

  onModuleDestroy(): void {
    this.#stop?.();
    this.#wake();
  }

  /** Batches of events after `position`, as they come; an empty batch about every two seconds when none do. Ends with the signal. */
  async *follow(
    position: number,
    build: BuildId | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<readonly FarmEvent[]> {
    let after = position;
    while (!signal.aborted) {
      const woken = this.#nextWake(signal);
      const query = { after, limit: BATCH, ...(build === undefined ? {} : { build }) };
      const events = await readEvents(this.store.db, query);
      yield events;
      after = events.at(-1)?.seq ?? after;
      if (events.length < BATCH) await woken;
    }
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Registered before the look, so that nothing which comes during it is missed. */
  async #nextWake(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const wake = (): void => {
        this.#waiting.delete(wake);
        setTimeout(done, GATHER_MS);
      };
      const timer = setTimeout(done, LOOK_MS);
      this.#waiting.add(wake);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
