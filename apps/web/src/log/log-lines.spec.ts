import { describe, expect, it } from '@jest/globals';
import { linesOf } from './log-lines.js';
import { lineAt, withNewer, withOlder, type LogWindow } from './log-window.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const head = (stream = 'out|', step = 'pop') => `2026-11-24T13:03:09.123Z ${step} ${stream} `;

describe('lines of a log', () => {
  it('are those that are whole', () => {
    const one = `${head()}one\n`;
    const { lines, start, end } = linesOf(bytes(`${one}${head()}tw`), 100, false);
    expect(lines).toEqual([
      {
        offset: 100,
        at: Date.UTC(2026, 10, 24, 13, 3, 9, 123),
        step: 'pop',
        stream: 'out',
        level: 'plain',
        text: 'one',
      },
    ]);
    expect([start, end]).toEqual([100, 100 + one.length]);
  });

  it('leave out one that may have begun before', () => {
    const { lines, start } = linesOf(bytes(`ne\n${head()}two\n`), 50, true);
    expect(lines.map(({ text }) => text)).toEqual(['two']);
    expect(start).toBe(53);
  });

  it('have none in the middle of a long one', () => {
    expect(linesOf(bytes('no end'), 7, false)).toEqual({ lines: [], start: 7, end: 7 });
  });

  it('are all there is at the very end, newline or not', () => {
    const { lines, end } = linesOf(bytes(`${head()}no end`), 7, false, true);
    expect([lines.map(({ text }) => text), end]).toEqual([['no end'], 7 + head().length + 6]);
  });

  it('are cut where one is longer than any of an agent', () => {
    const { lines, end } = linesOf(new Uint8Array(1024 * 1024 + 5).fill(97), 0, false);
    expect([lines.length, end]).toEqual([1, 1024 * 1024]);
  });

  it('count bytes, not characters', () => {
    const { lines } = linesOf(bytes(`${head()}ü漢\n${head()}next\n`), 0, false);
    expect(lines[1]?.offset).toBe(head().length + 5 + 1);
  });

  it.each([
    ['out|', 'E: Unable to locate package', 'error'],
    ['err|', 'W: Download is unsandboxed', 'warning'],
    ['out|', '\u001b[31merror: no space\u001b[0m', 'error'],
    ['out|', 'ld: warning: something', 'warning'],
    ['err|', 'terror and errors', 'plain'],
    ['dc |', 'begins', 'note'],
    ['dc |', '12 bytes lost here', 'error'],
    ['out|', '12 bytes lost here', 'plain'],
  ])('%s %j is of level %s', (stream, text, level) => {
    expect(linesOf(bytes(`${head(stream)}${text}\n`), 0, false).lines[0]?.level).toBe(level);
  });
});

describe('the window of a log', () => {
  /** Lines of half a megabyte each. */
  const piece = (from: number, count: number): LogWindow => {
    const HALF = 512 * 1024;
    const lines = Array.from({ length: count }, (_, index) => ({
      offset: (from + index) * HALF,
      at: null,
      step: '-',
      stream: 'note' as const,
      level: 'note' as const,
      text: String(from + index),
    }));
    return { lines, start: from * HALF, end: (from + count) * HALF };
  };
  const texts = ({ lines }: LogWindow): string => lines.map(({ text }) => text).join(' ');

  it('lets go of the oldest when newer ones come, and knows where it begins then', () => {
    const window = withNewer(piece(0, 4), piece(4, 2));
    expect(texts(window)).toBe('2 3 4 5');
    expect([window.start, window.end]).toEqual([2 * 512 * 1024, 6 * 512 * 1024]);
  });

  it('lets go of the newest when older ones come', () => {
    const window = withOlder(piece(4, 4), piece(2, 2));
    expect(texts(window)).toBe('2 3 4 5 6');
    expect([window.start, window.end]).toEqual([2 * 512 * 1024, 7 * 512 * 1024]);
  });

  it('takes nothing that leaves a hole', () => {
    expect(() => withNewer(piece(0, 1), piece(2, 1))).toThrow(RangeError);
    expect(() => withOlder(piece(3, 1), piece(0, 1))).toThrow(RangeError);
  });

  it.each([
    [0, 0],
    [512 * 1024, 1],
    [512 * 1024 + 7, 1],
    [99 * 1024 * 1024, 2],
  ])('has the byte %d in line %d', (offset, index) => {
    expect(lineAt(piece(0, 3), offset)).toBe(index);
  });
});
