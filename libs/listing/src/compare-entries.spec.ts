import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { changedParts, pairEntries } from './compare-entries.js';
import { comparePaths, type ListedEntry } from './listed-entry.js';
import { file } from './testing.js';

async function* listing(entries: readonly ListedEntry[]): AsyncGenerator<ListedEntry, string> {
  await Promise.resolve();
  yield* entries;
  return 'end';
}

/** `path -+`: in the first, in the second. */
async function paired(before: readonly string[], after: readonly string[]): Promise<readonly string[]> {
  const sorted = (paths: readonly string[]): readonly ListedEntry[] =>
    paths.toSorted(comparePaths).map((path) => file(path));
  const found: string[] = [];
  const pairs = pairEntries(listing(sorted(before)), listing(sorted(after)));
  for (;;) {
    const next = await pairs.next();
    if (next.done === true) {
      expect(next.value).toEqual(['end', 'end']);
      return found;
    }
    const { path, before: was, after: is } = next.value;
    expect([was?.path ?? path, is?.path ?? path]).toEqual([path, path]);
    found.push(`${path} ${was === null ? '' : '-'}${is === null ? '' : '+'}`);
  }
}

describe('pairEntries', () => {
  it.each<[readonly string[], readonly string[], readonly string[]]>([
    [[], [], []],
    [['a'], [], ['a -']],
    [[], ['a'], ['a +']],
    [
      ['a', 'b', 'd'],
      ['b', 'c'],
      ['a -', 'b -+', 'c +', 'd -'],
    ],
    // A folder's own come right behind it, whatever sorts before the slash.
    [
      ['a', 'a/x', 'a.b'],
      ['a', 'a.b', 'a/y'],
      ['a -+', 'a/x -', 'a/y +', 'a.b -+'],
    ],
  ])('%j and %j', async (before, after, expected) => {
    expect(await paired(before, after)).toEqual(expected);
  });

  it('ends both when one fails', async () => {
    const ended: string[] = [];
    async function* failing(name: string, fails: boolean): AsyncGenerator<ListedEntry, string> {
      try {
        await Promise.resolve();
        yield file('a');
        if (fails) throw new Error('cut short');
        yield file('b');
        return name;
      } finally {
        ended.push(name);
      }
    }
    const pairs = pairEntries(failing('whole', false), failing('cut', true));
    await pairs.next();
    await expect(pairs.next()).rejects.toThrow('cut short');
    expect(ended.toSorted()).toEqual(['cut', 'whole']);
  });

  it('tells each path once', async () => {
    const paths = fc.uniqueArray(fc.stringMatching(/^[ab./]{1,4}$/), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(paths, paths, async (before, after) => {
        const all = [...new Set([...before, ...after])].toSorted(comparePaths);
        expect(await paired(before, after)).toEqual(
          all.map((path) => `${path} ${before.includes(path) ? '-' : ''}${after.includes(path) ? '+' : ''}`),
        );
      }),
    );
  });
});

describe('changedParts', () => {
  const link = { type: 'l', bytes: 0, detail: 'to' } as const;
  const folder = { type: 'd', bytes: 0, detail: '' } as const;
  it.each<[string, Partial<ListedEntry>, Partial<ListedEntry>, readonly string[]]>([
    ['nothing', {}, {}, []],
    ['content', {}, { detail: 'b'.repeat(64) }, ['content']],
    ['mode', {}, { mode: 0o4755 }, ['mode']],
    ['user', {}, { uid: 1 }, ['owner']],
    ['group', {}, { gid: 1 }, ['owner']],
    ['all of a file', {}, { detail: 'b'.repeat(64), mode: 0, uid: 1 }, ['content', 'mode', 'owner']],
    ['a link in place of a file', {}, { ...link, mode: 0o777 }, ['type']],
    ['where a link leads', link, { ...link, detail: 'from' }, ['target']],
    ['the mode of a link, which means nothing', link, { ...link, mode: 0 }, []],
    ['a device', { type: 'c', detail: '1:3' }, { type: 'c', detail: '1:5' }, ['device']],
    ['the mode of a folder', folder, { ...folder, mode: 0o1777 }, ['mode']],
  ])('%s', (_, before, after, expected) => {
    expect(changedParts({ ...file('x'), ...before }, { ...file('x'), ...after })).toEqual(expected);
  });
});
