import { MAX_LOG_HEAD, readLogHead, saysLoss } from '#libs/watch';

/** What a line is for whoever looks for trouble: what the agent says itself, else what its words look like. */
export type LogLevel = 'error' | 'warning' | 'note' | 'plain';

/** One line of an attempt's log. Its offset is its address: it never changes, whatever is read of the log. */
export interface LogLine {
  /** Of its first byte in the log. */
  readonly offset: number;
  /** Milliseconds since 1970; `null` where the line is not of the log's form. */
  readonly at: number | null;
  /** Name of a step, or `-`. */
  readonly step: string;
  readonly stream: 'out' | 'err' | 'note';
  readonly level: LogLevel;
  /** As it was written: escape sequences and all. */
  readonly text: string;
}

export interface LogPiece {
  readonly lines: readonly LogLine[];
  /** Offset of the first line; of the end, where there is none. */
  readonly start: number;
  /** Offset behind the last whole line. */
  readonly end: number;
}

/** A line longer than any that an agent writes is cut, so that one cannot fill the memory. */
const MAX_LINE = 1024 * 1024;
const NEWLINE = 0x0a;
const decoder = new TextDecoder();

/**
 * The whole lines of a range of a log. What stands behind the last newline is left for the next range, where there is one.
 *
 * @param from offset of the first byte
 * @param startsInside whether the first line may have begun before it, and so is left out
 * @param isLast whether nothing follows it, ever
 */
export function linesOf(bytes: Uint8Array, from: number, startsInside: boolean, isLast = false): LogPiece {
  const lines: LogLine[] = [];
  let start = startsInside ? bytes.indexOf(NEWLINE) + 1 : 0;
  const first = start;
  for (let end = endOfLine(bytes, start); end >= 0; end = endOfLine(bytes, start)) {
    lines.push(lineOf(bytes.subarray(start, end), from + start));
    start = bytes[end] === NEWLINE ? end + 1 : end;
  }
  if (isLast && start < bytes.length) {
    lines.push(lineOf(bytes.subarray(start), from + start));
    start = bytes.length;
  }
  return { lines, start: from + first, end: from + start };
}

/** Negative where the line goes on behind the bytes. */
function endOfLine(bytes: Uint8Array, start: number): number {
  const end = bytes.indexOf(NEWLINE, start);
  const length = (end < 0 ? bytes.length : end) - start;
  return length > MAX_LINE ? start + MAX_LINE : end;
}

function lineOf(bytes: Uint8Array, offset: number): LogLine {
  // Of its ASCII head, characters are bytes.
  const head = readLogHead(decoder.decode(bytes.subarray(0, MAX_LOG_HEAD)));
  if (head === null)
    return { offset, at: null, step: '-', stream: 'note', level: 'note', text: decoder.decode(bytes) };
  const text = decoder.decode(bytes.subarray(head.length));
  const { at, step, stream } = head;
  return { offset, at, step, stream, level: levelOf(stream, text), text };
}

const ERROR = /^(E:|error\b|fatal\b|panic\b)|\b(error|fatal):/i;
const WARNING = /^(W:|warn(ing)?\b)|\bwarning:/i;

/** A line says early what it is of. Characters. */
const LEVEL_WITHIN = 2_000;
const COLOURS = /\u001b\[[0-9;:]*m/g;

function levelOf(stream: LogLine['stream'], text: string): LogLevel {
  if (stream === 'note') return saysLoss(stream, text) ? 'error' : 'note';
  const words = text.slice(0, LEVEL_WITHIN).replace(COLOURS, '');
  if (ERROR.test(words)) return 'error';
  return WARNING.test(words) ? 'warning' : 'plain';
}
