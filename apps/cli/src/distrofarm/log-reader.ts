import { retryDelays } from '#libs/event-stream';
import { describeLogGap, readLogEnd, type LogEnd } from '#libs/watch';
import { isPassing, pathOf, queryOf, type Farm } from './farm.js';
import { pauseFor } from './pause-for.js';

/** A step may well be silent that long; asking again costs little and finds a dead connection. */
const SILENCE_MS = 60_000;
const MAX_RETRY_MS = 2_000;
/** A silent connection is renewed without a word; only when that fails, too, there is something to tell. */
const FAILURES_TO_TELL = 2;

/** The bytes of one attempt's log, each exactly once, over any number of lost connections. */
export class LogReader {
  /** How many bytes have come. */
  offset = 0;
  #end: LogEnd = { isComplete: false, missing: 0, breaksOff: false };
  #failures = 0;

  constructor(
    private readonly farm: Farm,
    private readonly attempt: string,
    private readonly signal: AbortSignal,
    /** Why nothing comes in just now; `null` once it does again. */
    private readonly onConnection: (lost: string | null) => void = () => undefined,
  ) {}

  /** What to tell whoever has read to the end of an attempt that is over, when that is not all of its log; else `null`. */
  get gap(): string | null {
    return describeLogGap(this.#end, this.attempt);
  }

  /**
   * From where it is to what there is now, or with `follow` until the attempt is over and its log whole, or nothing more of it comes. May be called again.
   */
  async *read(follow: boolean): AsyncGenerator<Buffer> {
    let delays = retryDelays({ maxMs: MAX_RETRY_MS });
    for (;;) {
      const before = this.offset;
      try {
        if (yield* this.#readOnce(follow)) return;
      } catch (error) {
        this.signal.throwIfAborted();
        if (!isPassing(error)) throw error;
        this.#failed(error as Error);
      }
      if (this.offset > before) delays = retryDelays({ maxMs: MAX_RETRY_MS });
      await pauseFor(delays.next().value, this.signal);
    }
  }

  /** A body that just ends may have been cut by a coordinator that stopped: only one that began complete is known to be whole. */
  async *#readOnce(follow: boolean): AsyncGenerator<Buffer, boolean> {
    const query = queryOf({ offset: this.offset, ...(follow ? { follow: 'true' } : {}) });
    const options = { signal: this.signal, timeoutMs: SILENCE_MS };
    const { headers, body } = await this.farm.download(
      pathOf`/attempts/${this.attempt}/log` + query,
      options,
    );
    this.#connected();
    this.#end = readLogEnd((name) => headers[name]?.toString());
    const before = this.offset;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      this.offset += chunk.length;
      yield chunk;
    }
    if (!follow || this.#end.isComplete) return true;
    return this.#end.missing > 0 && this.offset === before;
  }

  #failed(error: Error): void {
    this.#failures += 1;
    if (this.#failures === FAILURES_TO_TELL) this.onConnection(error.message);
  }

  #connected(): void {
    if (this.#failures >= FAILURES_TO_TELL) this.onConnection(null);
    this.#failures = 0;
  }
}
