import { availableParallelism } from 'node:os';
import { Transform, type TransformCallback } from 'node:stream';

export interface PaceOptions {
  /** Whether anything is there that could be slowed. */
  readonly isBusy: () => boolean;
  /** Processor time of this process so far, in milliseconds. */
  readonly usedMs?: () => number;
  readonly now?: () => number;
  readonly processors?: () => number;
}

/** Of the host's processors. A step may lose a tenth of its time in all; what other processes do for the stream, and the disk, take some of that. */
const SHARE = 0.04;
/** What was not used in this time is forgotten, so that a pause is not followed by a burst. */
const WINDOW_MS = 1_000;

/**
 * Passes a stream on, so slowly that this process takes no more than a small share of the host's processors while jobs run on it. What a byte costs differs tenfold between
 * hosts, and so does what they can spare; so it is the cost that is limited, not the rate.
 */
export class Pace extends Transform {
  readonly #isBusy: () => boolean;
  readonly #usedMs: () => number;
  readonly #now: () => number;
  readonly #processors: () => number;
  #from: { readonly at: number; readonly usedMs: number };

  constructor({ isBusy, usedMs = processUsedMs, now, processors = availableParallelism }: PaceOptions) {
    super({ objectMode: true, highWaterMark: 2 });
    this.#isBusy = isBusy;
    this.#usedMs = usedMs;
    this.#now = now ?? (() => performance.now());
    this.#processors = processors;
    this.#from = this.#mark();
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    const waitMs = this.#isBusy() ? this.waitMs() : 0;
    if (waitMs < 1) done(null, chunk);
    else setTimeout(() => done(null, chunk), waitMs);
  }

  /** How long to rest now. */
  waitMs(): number {
    const { at, usedMs } = this.#mark();
    const elapsedMs = at - this.#from.at;
    const dueMs = (usedMs - this.#from.usedMs) / (SHARE * this.#processors());
    if (dueMs > elapsedMs) return Math.min(WINDOW_MS, dueMs - elapsedMs);
    if (elapsedMs > WINDOW_MS) this.#from = { at, usedMs };
    return 0;
  }

  #mark(): { readonly at: number; readonly usedMs: number } {
    return { at: this.#now(), usedMs: this.#usedMs() };
  }
}

function processUsedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
