import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LineSplitter, MAX_LINE_BYTES, type LinePiece } from './line-splitter.js';

function split(...chunks: readonly (string | Uint8Array)[]): readonly LinePiece[] {
  const splitter = new LineSplitter();
  const pieces = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk)));
  return [...pieces, ...splitter.end()];
}

function shown(pieces: readonly LinePiece[]): readonly string[] {
  return pieces.map(({ bytes, complete }) => Buffer.from(bytes).toString() + (complete ? '|' : '>'));
}

describe('LineSplitter', () => {
  it.each([
    ['whole lines', ['a\nb\n'], ['a|', 'b|']],
    ['lines in pieces', ['a', 'b\nc', '\n'], ['ab|', 'c|']],
    ['empty lines', ['\n\n'], ['|', '|']],
    ['a last line without newline', ['a\nb'], ['a|', 'b>']],
    ['nothing', [], []],
  ])('cuts %s', (_, chunks, expected) => {
    expect(shown(split(...chunks))).toEqual(expected);
  });

  it('passes a line on that never ends, in bounded pieces', () => {
    const splitter = new LineSplitter();
    const pieces = splitter.push(Buffer.alloc(10 * MAX_LINE_BYTES + 1, 'x'));
    expect(pieces.map(({ bytes }) => bytes.length)).toEqual(Array(10).fill(MAX_LINE_BYTES));
    expect(splitter.end()[0]?.bytes.length).toBe(1);
  });

  it('gives back every stream byte for byte', () => {
    const chunk = fc
      .uint8Array({ maxLength: 300 })
      .map((bytes) => bytes.map((byte) => (byte % 7 === 0 ? 0x0a : byte)));
    fc.assert(
      fc.property(fc.array(chunk), (chunks) => {
        const back = split(...chunks).flatMap(({ bytes, complete }) => [
          Buffer.from(bytes),
          Buffer.from(complete ? '\n' : ''),
        ]);
        expect(Buffer.concat(back)).toEqual(Buffer.concat(chunks));
      }),
    );
  });
});
