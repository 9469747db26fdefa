import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { comparePaths, type ListedEntry } from './listed-entry.js';
import { entryLine, listingEnd, listingHead, readListing, type ListingEnd } from './listing-text.js';
import { file } from './testing.js';

const SHA = 'a'.repeat(64);

async function read(text: string | Buffer, pieceBytes = 7): Promise<readonly [ListedEntry[], ListingEnd]> {
  const bytes = Buffer.from(text as string, 'latin1');
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      await Promise.resolve();
      yield bytes.subarray(at, at + pieceBytes);
    }
  }
  const entries: ListedEntry[] = [];
  const listing = readListing(pieces());
  for (;;) {
    const next = await listing.next();
    if (next.done === true) return [entries, next.value];
    entries.push(next.value);
  }
}

const whole = (...lines: readonly string[]): string =>
  ['distrofarm-listing 1', ...lines].map((line) => `${line}\n`).join('');

describe('a listing', () => {
  it('is read as it was written, whatever names there are', async () => {
    const bytes = fc
      .uint8Array({ minLength: 1, maxLength: 6 })
      .map((name) => Buffer.from(name).toString('latin1').replaceAll('\0', '-').replaceAll('/', '-'));
    const path = fc.array(bytes, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    const entry = fc.oneof(
      path.map((each) => file(each, { bytes: 12 })),
      fc.tuple(path, bytes).map(([each, detail]) => file(each, { type: 'l', mode: 0o777, bytes: 0, detail })),
      path.map((each) => file(each, { type: 'd', mode: 0o1777, bytes: 0, detail: '' })),
      path.map((each) => file(each, { type: 'c', bytes: 0, detail: '1:3' })),
    );
    const packages = fc.option(
      fc.array(fc.constant({ name: 'a', architecture: 'all', version: '1:2~3' }), { maxLength: 2 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(entry, { selector: (each) => each.path, maxLength: 8 }),
        packages,
        fc.integer({ min: 1, max: 40 }),
        async (entries, found, pieceBytes) => {
          const sorted = entries.toSorted((one, other) => comparePaths(one.path, other.path));
          const end = { packages: found, entries: sorted.length };
          const text = listingHead() + sorted.map(entryLine).join('') + listingEnd(end);
          expect(await read(text, pieceBytes)).toEqual([sorted, end]);
        },
      ),
    );
  });

  it.each<[string, string, string]>([
    ['nothing', '', 'cut short'],
    ['another beginning', 'distrofarm-listing 2\nend 0 0\n', 'begins with "distrofarm-listing 2"'],
    ['no end', whole(`f 644 0 0 1:${SHA} a`), 'cut short'],
    ['an end without its newline', whole('no-packages') + 'end 0 0', 'cut short'],
    ['more behind its end', whole('no-packages', 'end 0 0', 'end 0 0'), 'more behind the end'],
    ['fewer entries than it says', whole(`f 644 0 0 1:${SHA} a`, 'end 2 0'), '1 entries and 0 packages came'],
    ['one path twice', whole(`f 644 0 0 1:${SHA} a`, `f 644 0 0 1:${SHA} a`, 'end 2 0'), 'not in order'],
    ['another order', whole(`f 644 0 0 1:${SHA} b`, `f 644 0 0 1:${SHA} a`, 'end 2 0'), 'not in order'],
    ['a file without a digest', whole('f 644 0 0 1:abc a', 'end 1 0'), 'is no entry'],
    ['a mode of nine', whole(`f 999 0 0 1:${SHA} a`, 'end 1 0'), 'is no entry'],
    ['an unknown type', whole('x 644 0 0 - a', 'end 1 0'), 'is no entry'],
    ['a path with a blank', whole('d 755 0 0 - a b', 'end 1 0'), 'is no entry'],
    ['a package with an escape', whole('package a\u001b all 1', 'end 0 1'), 'is no package'],
    ['a package of four words', whole('package a all 1 2', 'end 0 1'), 'is no package'],
    ['a line that does not end', 'd'.repeat(50_000), 'longer than'],
  ])('with %s is refused', async (_, text, message) => {
    await expect(read(text, 1000)).rejects.toMatchObject({
      code: 'BAD_LISTING',
      message: expect.stringContaining(message),
    });
  });
});
