import { MAX_LOG_HEAD, readLogHead, saysLoss } from '#libs/watch';

/** One line of an attempt's log, or a piece of one. */
export interface LogRecord {
  /** Milliseconds since 1970; `null` where the line is not of the log's form. */
  readonly at: number | null;
  /** Name of a step, or `-`. */
  readonly step: string;
  /** Of the script, or `note`: a line of the agent's own. */
  readonly stream: 'out' | 'err' | 'note';
  /** What was written, without its newline. */
  readonly bytes: Uint8Array;
  /** Whether a newline followed. */
  readonly complete: boolean;
}

/** A line longer than any that the agent writes is passed on in pieces, so that it cannot fill the memory. */
const MAX_LINE = 1024 * 1024;
const NEWLINE = 0x0a;

/** Cuts a log into records, whatever the chunks it comes in. One per log. */
export class LogRecords {
  #rest: Buffer = Buffer.alloc(0);

  *push(chunk: Uint8Array): Generator<LogRecord> {
    const bytes = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      yield recordOf(bytes.subarray(start, end));
      start = end + 1;
    }
    this.#rest = bytes.subarray(start);
    if (this.#rest.length > MAX_LINE) yield* this.end();
  }

  /** What stood behind the last newline. */
  *end(): Generator<LogRecord> {
    if (this.#rest.length > 0) yield recordOf(this.#rest);
    this.#rest = Buffer.alloc(0);
  }
}

function recordOf(line: Buffer): LogRecord {
  const head = readLogHead(line.subarray(0, MAX_LOG_HEAD).toString('latin1'));
  if (head === null) return { at: null, step: '-', stream: 'note', bytes: line, complete: true };
  const { length, ...rest } = head;
  return { ...rest, bytes: line.subarray(length) };
}

export interface LogFilter {
  readonly step: string | null;
  readonly since: number | null;
  readonly grep: RegExp | null;
}

export function isLoss(record: LogRecord): boolean {
  return saysLoss(record.stream, textOf(record));
}

/**
 * Whether a record is wanted. What has no time of its own is as old as it wants to be: it is shown. So is a loss, whatever step or words are looked for: they may be
 * in what is lost.
 */
export function wanted(filter: LogFilter, record: LogRecord): boolean {
  if (isLoss(record)) return filter.since === null || record.at === null || record.at >= filter.since;
  if (filter.step !== null && record.step !== filter.step) return false;
  if (filter.since !== null && record.at !== null && record.at < filter.since) return false;
  return filter.grep === null || filter.grep.test(textOf(record));
}

export function textOf({ bytes }: LogRecord): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** The script's bytes as they were; nothing of the agent's notes. */
export function rawBytes({ stream, bytes, complete }: LogRecord): Uint8Array {
  if (stream === 'note') return new Uint8Array();
  return complete ? Buffer.concat([bytes, Buffer.from([NEWLINE])]) : bytes;
}
