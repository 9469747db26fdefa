import type { QueryClient } from '@tanstack/react-query';
import type { FarmEvent } from '#libs/contracts';
import { touches } from './touches.js';

/** What one report tells comes as several events. */
const GATHER_MS = 50;
/** A burst of events costs a few looks. */
const REST_MS = 100;
/** What takes long to answer is not asked for all the time. */
const REST_PER_LOOK = 1;

/** Asks again for what is on the page when an event touches it: soon, once for all events meanwhile, and never twice at the same time. */
export class Refresher {
  readonly #asked = new Set<string>();
  readonly #looking = new Set<string>();

  constructor(
    private readonly queries: QueryClient,
    private readonly signal: AbortSignal,
    private readonly pause: (ms: number) => Promise<void> = (ms) =>
      new Promise((resolve) => setTimeout(resolve, ms)),
  ) {}

  take(event: FarmEvent): void {
    this.#ask((path) => touches(event, path));
  }

  /** After a connection was made: what changed before it was there is not told by any event. */
  everything(): void {
    this.#ask(() => true);
  }

  #ask(concerns: (path: string) => boolean): void {
    for (const query of this.queries.getQueryCache().getAll()) {
      const [path] = query.queryKey;
      if (typeof path !== 'string' || !concerns(path)) continue;
      if (query.isActive()) this.#askFor(path);
      else query.invalidate();
    }
  }

  #askFor(path: string): void {
    this.#asked.add(path);
    if (this.#looking.has(path)) return;
    this.#looking.add(path);
    void this.#lookWhileAsked(path).finally(() => this.#looking.delete(path));
  }

  async #lookWhileAsked(path: string): Promise<void> {
    while (this.#asked.has(path) && !this.signal.aborted) {
      await this.pause(GATHER_MS);
      this.#asked.delete(path);
      const began = performance.now();
      await this.queries.refetchQueries({ queryKey: [path], exact: true, type: 'active' });
      await this.pause(Math.max(REST_MS, (performance.now() - began) * REST_PER_LOOK));
    }
  }
}
