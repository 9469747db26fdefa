import type { BuildDetail, FarmEvent } from '#libs/contracts';
import { retryDelays } from '#libs/event-stream';
import { isAtRest } from '#libs/watch';
import { cleaned } from './cleaned.js';
import { isPassing, pathOf, type Farm } from './farm.js';
import { pauseFor } from './pause-for.js';

/** Told what happens to a build. All text in what it is told is harmless on a terminal. */
export interface BuildWatcher {
  build(build: BuildDetail): void;
  event(event: FarmEvent): void;
  /** Why nothing comes in just now; `null` once it does again. */
  connection(lost: string | null): void;
}

/** A burst of events costs one look at the build. */
const LOOK_AGAIN_MS = 200;
/** Without events too: what was missed shows then. */
const LOOK_ANYWAY_MS = 15_000;
const MAX_RETRY_MS = 2_000;

/**
 * Tells the watcher all about a build until it comes to rest, over any number of lost connections, without holes and repeats: events by their
 * position, the build by looking at it again. Resolves to its last view. Throws when the first look fails, when the farm refuses, or the reason of
 * the signal.
 */
export async function followBuild(
  farm: Farm,
  build: BuildDetail,
  watcher: BuildWatcher,
  signal: AbortSignal,
): Promise<BuildDetail> {
  return await new BuildFollower(farm, build, watcher, signal).run();
}

class BuildFollower {
  /** Aborted when the build is at rest, or the farm refuses. */
  readonly #over = new AbortController();
  #refusal: Error | null = null;
  readonly #both: AbortSignal;
  #position: number;
  #looking = false;
  #lookAgain = false;

  constructor(
    private readonly farm: Farm,
    private build: BuildDetail,
    private readonly watcher: BuildWatcher,
    private readonly signal: AbortSignal,
  ) {
    this.#both = AbortSignal.any([signal, this.#over.signal]);
    this.#position = build.eventSeq;
  }

  async run(): Promise<BuildDetail> {
    this.#take(this.build);
    const timer = setInterval(() => this.#look(), LOOK_ANYWAY_MS);
    try {
      await this.#stream();
    } finally {
      clearInterval(timer);
    }
    this.signal.throwIfAborted();
    if (this.#refusal !== null) throw this.#refusal;
    return this.build;
  }

  async #stream(): Promise<void> {
    let delays = retryDelays({ maxMs: MAX_RETRY_MS });
    while (!this.#isOver()) {
      const before = this.#position;
      await this.#streamOnce();
      if (this.#isOver()) return;
      if (this.#position > before) delays = retryDelays({ maxMs: MAX_RETRY_MS });
      await pauseFor(delays.next().value, this.#both).catch(() => undefined);
      await this.#lookOnce();
    }
  }

  async #streamOnce(): Promise<void> {
    const path = pathOf`/builds/${this.build.id}/events`;
    try {
      for await (const event of this.farm.events(path, this.#position, this.#both)) {
        this.watcher.connection(null);
        this.#position = Math.max(this.#position, event.seq);
        this.watcher.event(cleaned(event));
        this.#look();
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Soon, and once for all who ask meanwhile. */
  #look(): void {
    this.#lookAgain = true;
    if (this.#looking) return;
    this.#looking = true;
    void this.#lookWhileAsked().finally(() => (this.#looking = false));
  }

  async #lookWhileAsked(): Promise<void> {
    while (this.#lookAgain && !this.#isOver()) {
      this.#lookAgain = false;
      await this.#lookOnce();
      await pauseFor(LOOK_AGAIN_MS, this.#both).catch(() => undefined);
    }
  }

  async #lookOnce(): Promise<void> {
    try {
      const build = await this.farm.get<BuildDetail>(pathOf`/builds/${this.build.id}`, {
        signal: this.#both,
      });
      this.watcher.connection(null);
      this.#take(cleaned(build));
    } catch (error) {
      this.#failed(error);
    }
  }

  #take(build: BuildDetail): void {
    if (this.#isOver()) return;
    this.build = build;
    this.watcher.build(build);
    if (isAtRest(build)) this.#over.abort();
  }

  #isOver(): boolean {
    return this.#both.aborted;
  }

  #failed(error: unknown): void {
    if (this.#isOver()) return;
    if (isPassing(error)) {
      this.watcher.connection(cleaned((error as Error).message));
      return;
    }
    this.#refusal = error as Error;
    this.#over.abort();
  }
}
