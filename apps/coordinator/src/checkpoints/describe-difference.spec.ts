import { describe, expect, it } from '@jest/globals';
import { pairEntries, type ListedEntry, type ListedPackage, type ListingEnd } from '#libs/listing';
import { file } from '../../../../libs/listing/src/testing.js';
import { describeDifference, type DifferenceQuery } from './describe-difference.js';

async function* listing(
  entries: readonly ListedEntry[],
  packages: readonly ListedPackage[] | null,
): AsyncGenerator<ListedEntry, ListingEnd> {
  await Promise.resolve();
  yield* entries;
  return { packages, entries: entries.length };
}

const BEFORE = [
  file('etc', { type: 'd', bytes: 0, detail: '' }),
  file('etc/a', { bytes: 100 }),
  file('etc/b', { bytes: 10 }),
  file('etc/c'),
  file('usr/gone', { bytes: 7 }),
];
const AFTER = [
  file('etc', { type: 'd', bytes: 0, detail: '' }),
  file('etc/a', { bytes: 40, detail: 'b'.repeat(64) }),
  file('etc/b', { bytes: 10, mode: 0o4755 }),
  file('etc/c'),
  file('usr/new\n', { bytes: 1000 }),
  file('usr/new2', { type: 'l', bytes: 0, detail: 'to\x1b' }),
];

async function described(
  query: Partial<DifferenceQuery> = {},
  packages: readonly [readonly ListedPackage[] | null, readonly ListedPackage[] | null] = [null, null],
) {
  const pairs = pairEntries(listing(BEFORE, packages[0]), listing(AFTER, packages[1]));
  return await describeDifference(pairs, { path: '', offset: 0, limit: 100, ...query });
}

describe('describeDifference', () => {
  it('counts, sums up, and says what is another in each', async () => {
    const { changes, ...rest } = await described();
    expect(rest).toEqual({
      files: { added: 2, removed: 1, changed: 2, same: 2 },
      ...{ addedBytes: 1000, removedBytes: 7, changedBytes: -60, packages: null, matching: 5, next: null },
      folders: [
        { path: 'etc', added: 0, removed: 0, changed: 2, bytes: -60, whole: true },
        { path: 'usr', added: 2, removed: 1, changed: 0, bytes: 993, whole: true },
      ],
    });
    expect(changes.map(({ path, change, parts }) => [path, change, ...parts].join(' '))).toEqual([
      'etc/a changed content',
      'etc/b changed mode',
      'usr/gone removed',
      'usr/new\\u{a} added',
      'usr/new2 added',
    ]);
    expect(changes[0]).toMatchObject({ from: { type: 'file', bytes: 100 }, to: { bytes: 40, target: null } });
    expect(changes[4]).toMatchObject({ from: null, to: { type: 'link', target: 'to\\u{1b}' } });
  });

  it.each<[Partial<DifferenceQuery>, readonly string[], number, number | null]>([
    [{ limit: 2 }, ['etc/a', 'etc/b'], 5, 2],
    [{ offset: 2, limit: 2 }, ['usr/gone', 'usr/new\\u{a}'], 5, 4],
    [{ offset: 4, limit: 2 }, ['usr/new2'], 5, null],
    [{ offset: 9 }, [], 5, null],
    [{ path: 'new' }, ['usr/new\\u{a}', 'usr/new2'], 2, null],
    [{ path: 'etc/', limit: 1 }, ['etc/a'], 2, 1],
    [{ limit: 0 }, [], 5, 0],
  ])('of %j tells a page', async (query, paths, matching, next) => {
    const found = await described(query);
    expect([found.changes.map(({ path }) => path), found.matching, found.next]).toEqual([
      paths,
      matching,
      next,
    ]);
    expect(found.files).toEqual({ added: 2, removed: 1, changed: 2, same: 2 });
  });

  it('has packages where either has dpkg', async () => {
    const dash = { name: 'dash', architecture: 'amd64', version: '1' };
    const zsh = { name: 'zsh', architecture: 'amd64', version: '1' };
    expect((await described({}, [null, [dash]])).packages).toEqual({
      counts: { added: 1, removed: 0, changed: 0, same: 0 },
      changes: [{ name: 'dash', architecture: 'amd64', from: null, to: '1' }],
    });
    const changed = await described({}, [
      [dash, zsh],
      [{ ...dash, version: '2' }, zsh],
    ]);
    expect(changed.packages?.counts).toEqual({ added: 0, removed: 0, changed: 1, same: 1 });
  });
});
