import type { LogLine, LogPiece } from './log-lines.js';

/** The part of a log that is in memory: whole lines, one behind the other without a hole. */
export interface LogWindow {
  readonly lines: readonly LogLine[];
  readonly start: number;
  readonly end: number;
}

/** Bytes. A log of 200 MB is never in memory, and neither are its two million lines. */
const MOST = 2 * 1024 * 1024;

export const EMPTY_WINDOW: LogWindow = { lines: [], start: 0, end: 0 };

/** With the piece that follows it; what is too much is let go of at the other end. */
export function withNewer(window: LogWindow, piece: LogPiece): LogWindow {
  if (piece.start !== window.end) throw new RangeError('the piece does not follow the window');
  const lines = [...window.lines, ...piece.lines];
  const from = lines.findIndex(({ offset }) => piece.end - offset <= MOST);
  const kept = from <= 0 ? lines : lines.slice(from);
  return { lines: kept, start: from <= 0 ? window.start : (kept[0]?.offset ?? piece.end), end: piece.end };
}

/** With the piece in front of it; what is too much is let go of at the other end. */
export function withOlder(window: LogWindow, piece: LogPiece): LogWindow {
  if (piece.end !== window.start) throw new RangeError('the window does not follow the piece');
  const lines = [...piece.lines, ...window.lines];
  const until = lines.findIndex(({ offset }) => offset - piece.start > MOST);
  if (until < 0) return { lines, start: piece.start, end: window.end };
  const next = lines[until];
  return { lines: lines.slice(0, until), start: piece.start, end: next?.offset ?? window.end };
}

/** Index of the line that the byte is in; of the nearest one, where it is outside. -1 where there is none. */
export function lineAt({ lines }: LogWindow, offset: number): number {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((lines[middle]?.offset ?? Infinity) <= offset) low = middle + 1;
    else high = middle;
  }
  return Math.min(Math.max(0, low - 1), lines.length - 1);
}
