// needs: GNU tar, python3
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cutTar } from './cut-tar.js';
import { python } from './testing.js';

const LARGE_BYTES = 3000;

/** A tar with files of these sizes, and a name for each that needs an extended header where it is long. */
async function tarOf(sizes: readonly number[]): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'cut-tar-'));
  try {
    await python(
      folder,
      `
import io, json, sys, tarfile
with tarfile.open('tar', 'w', format=tarfile.PAX_FORMAT) as t:
    for i, size in enumerate(json.load(sys.stdin)):
        m = tarfile.TarInfo('./' + str(i) + 'n' * (i % 2 * 150)); m.size = size
        t.addfile(m, io.BytesIO(bytes([65 + i % 26]) * size))
`,
      JSON.stringify(sizes),
    );
    return await readFile(join(folder, 'tar'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function piecesOf(tar: Buffer, chunkBytes: number): Promise<readonly Buffer[]> {
  const pieces: Buffer[][] = [];
  for await (const { bytes, begins } of cutTar(chunksOf(tar, chunkBytes), LARGE_BYTES)) {
    if (begins) pieces.push([]);
    pieces.at(-1)!.push(bytes);
  }
  return pieces.map((piece) => Buffer.concat(piece));
}

// eslint-disable-next-line @typescript-eslint/require-await
async function* chunksOf(tar: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < tar.length; at += chunkBytes) yield tar.subarray(at, at + chunkBytes);
}

const isLarge = (size: number): boolean => size >= LARGE_BYTES;

describe('cutTar', () => {
  it('makes a piece of each large file, and of what is between them', async () => {
    const pieces = await piecesOf(await tarOf([10, 5000, 3000, 2999]), 1000);
    expect(pieces).toHaveLength(5);
    expect(pieces[1]).toEqual(Buffer.alloc(5000, 'B'));
    expect(pieces[3]).toEqual(Buffer.alloc(3000, 'C'));
  });

  it('loses nothing and always cuts in the same places, however the bytes come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.nat(9000), fc.constantFrom(0, 511, 512, 3000, 3072)), { maxLength: 12 }),
        fc.integer({ min: 1, max: 12_000 }),
        async (sizes, chunkBytes) => {
          const tar = await tarOf(sizes);
          const pieces = await piecesOf(tar, chunkBytes);
          expect(Buffer.concat(pieces).equals(tar)).toBe(true);
          expect(pieces).toHaveLength(2 * sizes.filter(isLarge).length + 1);
          const large = pieces.filter((_, index) => index % 2 === 1);
          expect(large.map(({ length }) => length)).toEqual(sizes.filter(isLarge));
        },
      ),
      { numRuns: 25 },
    );
  }, 60_000);
});
