import type { Wish } from '#libs/contracts';
import type { AttemptKey } from '../link/coordinator-link.js';

/** Why an attempt was stopped before its end. */
export type StopKind =
  /** By request; it reports that, and ends. */
  | 'cancelled'
  /** This agent's process is to end now; it reports a fault of the agent, so that the job goes elsewhere. */
  | 'shutdown'
  /** No renewal for `selfStopMs`: another agent may have it soon. It reports nothing more. */
  | 'lease-lost'
  /** The coordinator says it is another's, or over. It reports nothing more. */
  | 'stale';

const WORDS: Readonly<Record<StopKind, string>> = {
  cancelled: 'the build was cancelled',
  shutdown: 'the agent was told to stop by its host',
  'lease-lost': 'the coordinator has not renewed the lease in time',
  stale: 'the coordinator has taken the job back',
};

/** The signal's reason when an attempt is stopped. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
  constructor(readonly kind: StopKind) {
    super(WORDS[kind]);
  }
}

interface Wanted {
  readonly wish: Wish;
  readonly pauseBefore: string | null;
  readonly handOver: string | null;
}

/** What is wanted of an attempt, as it changes while the attempt runs. */
export class AttemptControl {
  readonly #abort = new AbortController();
  #stopped: Stopped | null = null;
  #wish: Wish = 'run';
  #pauseBefore: string | null;
  #handOver: string | null = null;

  constructor(
    readonly key: AttemptKey,
    pauseBefore: string | null,
  ) {
    this.#pauseBefore = pauseBefore;
  }

  /** Aborted with a Stopped. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get stopped(): Stopped | null {
    return this.#stopped;
  }

  /** Whether to pause at the next boundary, wherever that is. */
  get pausesNow(): boolean {
    return this.#wish === 'pause';
  }

  /** Name of the step that is not to run, nor any behind it. */
  get pauseBefore(): string | null {
    return this.#pauseBefore;
  }

  /** Why the job is to stop at the next boundary and go on on another agent; `null`: it is not. */
  get handOver(): string | null {
    return this.#handOver;
  }

  want({ wish, pauseBefore, handOver }: Wanted): void {
    this.#wish = wish;
    this.#pauseBefore = pauseBefore;
    this.#handOver = handOver;
    if (wish === 'cancel') this.stop('cancelled');
  }

  /** The first reason counts. */
  stop(kind: StopKind): void {
    if (this.#stopped !== null) return;
    this.#stopped = new Stopped(kind);
    this.#abort.abort(this.#stopped);
  }
}
