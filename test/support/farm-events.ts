import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FarmEvent } from '#libs/contracts';
import type { HttpClient } from '#libs/http-client';

/** All events of a farm, by its stream; goes on by position, through whichever coordinator answers. */
export class FarmEvents {
  readonly all: FarmEvent[] = [];
  readonly #happened = new EventEmitter().setMaxListeners(1000);
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(clients: readonly HttpClient[]) {
    this.#ended = this.#follow(clients);
  }

  get lastSeq(): number {
    return this.all.at(-1)?.seq ?? 0;
  }

  /** The first event behind `after` of which it holds; one that has come already counts. */
  async until(holds: (event: FarmEvent) => boolean, after = 0): Promise<FarmEvent> {
    for (let seen = 0; ;) {
      const found = this.all.slice(seen).find((event) => event.seq > after && holds(event));
      if (found !== undefined) return found;
      seen = this.all.length;
      await this.more(seen);
    }
  }

  /** Resolves when there are more than so many events. */
  async more(known: number): Promise<void> {
    while (this.all.length <= known) await once(this.#happened, 'event');
  }

  of(build: string): readonly FarmEvent[] {
    return this.all.filter((event) => event.build === build);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #follow(clients: readonly HttpClient[]): Promise<void> {
    const { signal } = this.#stop;
    for (let turn = 0; !signal.aborted; turn += 1) {
      const client = clients[turn % clients.length]!;
      try {
        const options = { lastEventId: String(this.lastSeq), signal };
        for await (const { data } of client.events('/api/v1/events', options)) {
          this.all.push(JSON.parse(data) as FarmEvent);
          this.#happened.emit('event');
        }
      } catch {
        // Its coordinator was killed, or is not up yet.
      }
      await sleep(30);
    }
  }
}
