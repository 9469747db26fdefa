import { retryDelays } from '#libs/event-stream';
import { describeLogGap, readLogEnd, type LogEnd } from '#libs/watch';
import { inWords, isPassing, NotReached, notTheFarm } from '../session/api-failure.js';
import { contentTypeOf, pathOf, type FarmApi } from '../session/farm-api.js';
import { linesOf, type LogLine, type LogPiece } from './log-lines.js';
import { EMPTY_WINDOW, withNewer, withOlder, type LogWindow } from './log-window.js';

/** What the page shows of a log. */
export interface LogView {
  readonly window: LogWindow;
  /** The byte that was asked for last; another object each time. */
  readonly target: { readonly offset: number } | null;
  /** Bytes that the farm has of it. */
  readonly size: number;
  /** Whether new lines are shown as they come. */
  readonly isFollowing: boolean;
  readonly isLoading: boolean;
  /** Nothing more will come of it. */
  readonly isOver: boolean;
  /** Why what there is is not all of it; `null` when it is, or may be. */
  readonly gap: string | null;
  /** Why nothing comes in just now; `null` while it does. */
  readonly lost: string | null;
  /** How far a search has come, in bytes; `null` while none is under way. */
  readonly searchedTo: number | null;
}

const RANGE = 256 * 1024;
const SEARCH_RANGE = 1024 * 1024;
/** A burst of output is shown together. */
const SHOW_EVERY_MS = 80;
const DELAYS = { firstMs: 300, maxMs: 3_000 };

/**
 * The log of one attempt, read in ranges: the window around what is looked at is in memory, and nothing else. Whoever follows it gets each byte once,
 * over any number of lost connections.
 */
export class AttemptLog {
  #view: LogView = {
    window: EMPTY_WINDOW,
    target: null,
    size: 0,
    isFollowing: false,
    isLoading: true,
    isOver: false,
    gap: null,
    lost: null,
    searchedTo: null,
  };
  readonly #listeners = new Set<() => void>();
  readonly #closed = new AbortController();
  /** Ends what follows or searches. */
  #task = new AbortController();
  #busy: Promise<void> = Promise.resolve();
  /** How long the log was when all that was left of it was the beginning of a line. */
  #halfLineUntil = -1;
  /** Where the window began when the range in front of it had no line that ends there: no agent writes such a log. */
  #noLineBefore = -1;

  constructor(
    private readonly api: Pick<FarmApi, 'open'>,
    private readonly attempt: string,
  ) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly view = (): LogView => this.#view;

  close(): void {
    this.#closed.abort();
    this.#task.abort();
  }

  /** Shows the lines around a byte. Throws nothing: what fails is in `lost`. */
  async jump(offset: number): Promise<void> {
    this.#endTask();
    await this.#exclusively(async () => {
      const from = Math.max(0, offset - RANGE / 2);
      const piece = await this.#range(from, RANGE);
      this.#show({ window: piece, target: { offset } });
    });
  }

  /** Shows its end, and what comes from then on. */
  async follow(): Promise<void> {
    this.#endTask();
    const task = this.#task;
    this.#show({ isFollowing: true });
    await this.#exclusively(async () => {
      // How long it is, is known once something of it was read.
      if (this.#view.size === 0) await this.#range(0, 0);
      const piece = await this.#range(Math.max(0, this.#view.size - RANGE), RANGE);
      this.#show({ window: piece });
    });
    await this.#stream(task.signal);
  }

  stopFollowing(): void {
    if (this.#view.isFollowing) this.#endTask();
  }

  /** What comes at the end would not fit behind what this lets go of, so it ends the following. */
  async older(): Promise<void> {
    this.stopFollowing();
    if (this.#view.window.start === this.#noLineBefore) return;
    await this.#exclusively(async () => {
      const { window } = this.#view;
      if (window.start === 0) return;
      const from = Math.max(0, window.start - RANGE);
      const piece = await this.#range(from, window.start - from);
      if (piece.lines.length > 0 && piece.end === window.start)
        this.#show({ window: withOlder(window, piece) });
      else this.#noLineBefore = window.start;
    });
  }

  async newer(): Promise<void> {
    // Not even as a turn that changes nothing: whoever looks after each change would look for ever.
    if (this.#view.size === this.#halfLineUntil) return;
    await this.#exclusively(async () => {
      const { window, size, isFollowing } = this.#view;
      // What is followed comes by itself: read here too, it would be there twice.
      if (isFollowing || window.end >= size) return;
      const piece = await this.#range(window.end, RANGE, false);
      if (piece.lines.length === 0) this.#halfLineUntil = this.#view.size;
      this.#show({ window: withNewer(this.#view.window, piece) });
    });
  }

  /**
   * The next line that is wanted behind a byte, or the last one in front of it, through the whole log, a range at a time. `null` when there is none,
   * or the search was ended.
   */
  async search(
    wanted: (line: LogLine) => boolean,
    from: number,
    isBackwards: boolean,
  ): Promise<LogLine | null> {
    this.#endTask();
    const { signal } = this.#task;
    try {
      const ranges = isBackwards ? this.#backwards(from, signal) : this.#forwards(from, signal);
      for await (const lines of ranges) {
        const found = isBackwards
          ? lines.findLast((line) => line.offset < from && wanted(line))
          : lines.find((line) => line.offset > from && wanted(line));
        if (found !== undefined) return found;
      }
      return null;
    } catch (error) {
      if (!signal.aborted) this.#show({ lost: inWords(error).message });
      return null;
    } finally {
      this.#show({ searchedTo: null });
    }
  }

  endSearch(): void {
    if (this.#view.searchedTo !== null) this.#endTask();
  }

  async *#forwards(from: number, signal: AbortSignal): AsyncGenerator<readonly LogLine[]> {
    let at = Math.max(0, from);
    for (let isFirst = true; at < this.#view.size || isFirst; isFirst = false) {
      this.#show({ searchedTo: at });
      const piece = await this.#range(at, SEARCH_RANGE, isFirst, signal);
      yield piece.lines;
      if (piece.end <= at) return;
      at = piece.end;
    }
  }

  async *#backwards(from: number, signal: AbortSignal): AsyncGenerator<readonly LogLine[]> {
    let end = from;
    while (end > 0) {
      this.#show({ searchedTo: end });
      const begin = Math.max(0, end - SEARCH_RANGE);
      const piece = await this.#range(begin, end - begin, true, signal);
      yield piece.lines;
      end = piece.start < end ? piece.start : begin;
    }
  }

  /** The whole lines of a range. With `mayStartInside`, a line that began before it is left out. */
  async #range(
    from: number,
    length: number,
    mayStartInside = true,
    signal = this.#closed.signal,
  ): Promise<LogPiece> {
    // The byte in front says whether a line begins there.
    const begin = mayStartInside && from > 0 ? from - 1 : from;
    const path = pathOf`/attempts/${this.attempt}/log?offset=${begin}&length=${length + (from - begin)}`;
    const response = await this.api.open(path, { signal });
    const bytes = await bytesOf(response);
    this.#heard(response, begin + bytes.length);
    const { isOver, size } = this.#view;
    return linesOf(bytes, begin, begin < from, isOver && begin + bytes.length >= size);
  }

  #heard(response: Response, known: number): void {
    const { headers } = response;
    if (!headers.has('distrofarm-log-bytes')) throw notTheFarm(contentTypeOf(response));
    const end = readLogEnd((name) => headers.get(name));
    const size = Math.max(known, Number(headers.get('distrofarm-log-bytes')), this.#view.size);
    this.#show({ size, lost: null, isOver: end.isComplete, gap: describeLogGap(end, this.attempt) });
  }

  async #stream(signal: AbortSignal): Promise<void> {
    let delays = retryDelays(DELAYS);
    const isEnded = (): boolean => signal.aborted;
    while (!isEnded()) {
      const before = this.#view.window.end;
      try {
        const end = await this.#streamOnce(signal);
        const hasGrown = this.#view.window.end > before;
        if (end.isComplete || (end.missing > 0 && !hasGrown)) break;
      } catch (error) {
        if (isEnded()) return;
        this.#show({ lost: inWords(error).message });
        if (!isPassing(error)) break;
      }
      if (this.#view.window.end > before) delays = retryDelays(DELAYS);
      await new Promise((resolve) => setTimeout(resolve, delays.next().value));
    }
    if (!isEnded()) this.#show({ isFollowing: false });
  }

  async #streamOnce(signal: AbortSignal): Promise<LogEnd> {
    const from = this.#view.window.end;
    const response = await this.api.open(pathOf`/attempts/${this.attempt}/log?offset=${from}&follow=true`, {
      signal,
    });
    this.#heard(response, from);
    const reader = response.body?.getReader();
    const gathered = new Gathered(
      (bytes) => (signal.aborted ? bytes.length : this.#append(bytes)),
      SHOW_EVERY_MS,
    );
    try {
      for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read())
        gathered.push(read.value);
    } catch (error) {
      if (signal.aborted) throw error;
      throw new NotReached('the connection broke off', null, { cause: error });
    } finally {
      gathered.flush();
      void reader?.cancel().catch(() => undefined);
    }
    return readLogEnd((name) => response.headers.get(name));
  }

  /** Takes the whole lines of bytes that follow the window. Returns how many bytes those are. */
  #append(bytes: Uint8Array): number {
    const { window, size } = this.#view;
    const piece = linesOf(bytes, window.end, false);
    this.#show({
      window: withNewer(window, piece),
      size: Math.max(size, window.end + bytes.length),
      lost: null,
    });
    return piece.end - piece.start;
  }

  /** One range at a time changes the window. */
  async #exclusively(work: () => Promise<void>): Promise<void> {
    const turn = this.#busy.then(async () => {
      this.#show({ isLoading: true });
      try {
        await work();
      } catch (error) {
        if (!this.#closed.signal.aborted) this.#show({ lost: inWords(error).message });
      } finally {
        this.#show({ isLoading: false });
      }
    });
    this.#busy = turn;
    await turn;
  }

  #endTask(): void {
    this.#task.abort();
    this.#task = new AbortController();
    this.#show({ isFollowing: false, searchedTo: null });
  }

  #show(change: Partial<LogView>): void {
    this.#view = { ...this.#view, ...change };
    for (const tell of this.#listeners) tell();
  }
}

async function bytesOf(response: Response): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new NotReached('the answer of the farm broke off', null, { cause: error });
  }
}

/** Bytes that come in many small pieces, given on together; what is not taken stays for the next time. */
class Gathered {
  #pieces: Uint8Array[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly take: (bytes: Uint8Array) => number,
    private readonly everyMs: number,
  ) {}

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#timer ??= setTimeout(() => this.flush(), this.everyMs);
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const bytes = joined(this.#pieces);
    if (bytes.length > 0) this.#pieces = [bytes.subarray(this.take(bytes))];
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
