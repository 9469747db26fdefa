import { describe, expect, it } from '@jest/globals';
import { compareIndexes, parseIndex, settled, type TreeIndex } from './tree-index.js';

/** `name type inode` each; ctime and size alike unless given. */
const index = (...entries: readonly string[]): TreeIndex =>
  new Map(
    entries.map((entry) => {
      const [name = '', type = 'f', inode = '1', ctime = '1.5', size = '0'] = entry.split(' ');
      return [name, `${type} ${inode} ${ctime} ${size}`];
    }),
  );
const shown = (paths: readonly Buffer[]): readonly string[] => paths.map((path) => path.toString());

describe('compareIndexes', () => {
  it.each<[string, TreeIndex, TreeIndex, readonly string[], readonly string[]]>([
    ['nothing', index('a f 1'), index('a f 1'), [], []],
    ['a new file', index('a f 1'), index('a f 1', 'b f 2'), ['b'], []],
    ['a removed file', index('a f 1', 'b f 2'), index('a f 1'), [], ['b']],
    ['a touched file', index('a f 1 1.5'), index('a f 1 1.6'), ['a'], []],
    ['a replaced file', index('a f 1'), index('a f 2'), ['a'], []],
    ['a file where a folder was', index('a d 1', 'a/b f 2'), index('a f 3'), ['a'], ['a', 'a/b']],
    ['a folder where a file was', index('a f 1'), index('a d 2'), ['a'], ['a']],
    [
      'a new name of a file that looks the same',
      index('a f 1', 'd/b f 1'),
      index('a f 1', 'e/b f 1'),
      ['a', 'e/b'],
      ['d/b'],
    ],
    ['folders, which are always copied', index('d d 1', 'd/a f 2'), index('d d 1', 'd/a f 2'), ['d'], []],
  ])('sees %s', (_, before, now, copied, removed) => {
    const changes = compareIndexes(before, now);
    expect({ copied: shown(changes.copied), removed: shown(changes.removed) }).toEqual({ copied, removed });
  });

  it('counts files, not folders', () => {
    const now = index('d d 1', 'd/a f 2', 'd/b f 3');
    expect(compareIndexes(index('d/a f 2'), now)).toMatchObject({ changedFiles: 1, unchangedFiles: 1 });
  });

  it('keeps the bytes of a path', () => {
    const path = Buffer.from([0x61, 0xe9, 0x0a, 0xff]);
    const listing = Buffer.concat([path, Buffer.from('\0f 1 1.5 0\0')]);
    expect(compareIndexes(new Map(), parseIndex(listing)).copied).toEqual([path]);
  });
});

describe('settled', () => {
  it.each([
    ['long ago', 'a f 1 99.9', 100_000, []],
    ['in the same tick', 'a f 1 99.99', 100_000, ['a']],
    ['behind the clock', 'a f 1 101.5', 100_000, ['a']],
    ['in the same second, where there are whole seconds only', 'a f 1 99.0000000000', 100_000, ['a']],
    ['some seconds ago, where there are whole seconds only', 'a f 1 97.0000000000', 100_000, []],
  ])('relies on what changed %s, or not', (_, entry, listedAtMs, copied) => {
    const now = index(entry);
    expect(shown(compareIndexes(parseIndex(settled(now, listedAtMs)), now).copied)).toEqual(copied);
  });
});
