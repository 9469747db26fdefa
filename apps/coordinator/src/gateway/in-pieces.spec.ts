import { describe, expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { inPieces } from './in-pieces.js';

const pieces = async (chunks: readonly string[], bytes: number): Promise<readonly string[]> => {
  const source = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
  const given: string[] = [];
  for await (const piece of inPieces(source, bytes)) given.push(piece.toString());
  return given;
};

describe('inPieces', () => {
  it.each([
    ['gathers', ['ab', 'cd', 'ef', 'g'], ['abcd', 'efg']],
    ['leaves large chunks whole', ['a', 'bcdefgh', 'i'], ['abcdefgh', 'i']],
    ['gives what is left', ['a'], ['a']],
    ['gives no empty piece', ['abc', 'd'], ['abc', 'd']],
    ['gives nothing of nothing', [], []],
  ])('%s', async (_, chunks, expected) => {
    expect(await pieces(chunks, 3)).toEqual(expected);
  });

  it('has what came in front of a failure only in whole pieces', async () => {
    async function* source(): AsyncGenerator<Buffer> {
      await Promise.resolve();
      yield Buffer.from('abc');
      yield Buffer.from('d');
      throw new Error('cut');
    }
    const given: string[] = [];
    const read = async (): Promise<void> => {
      for await (const piece of inPieces(source(), 3)) given.push(piece.toString());
    };
    await expect(read()).rejects.toThrow('cut');
    expect(given).toEqual(['abc']);
  });
});
