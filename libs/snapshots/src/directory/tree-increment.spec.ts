import { describe, expect, it } from '@jest/globals';
import { findIncrement, outdatedEntries } from './tree-increment.js';
import type { TreeIndex } from './tree-index.js';

/** `name type inode` each, as `find` has them; the time of change is another one each time. */
let ctime = 0;
const index = (...entries: readonly string[]): TreeIndex =>
  new Map(
    entries.map((entry) => {
      const [name = '', type = 'f', inode = '1'] = entry.split(' ');
      return [name, `${type} ${inode} ${++ctime}.5 0`];
    }),
  );
const shown = (paths: readonly Buffer[]): readonly string[] => paths.map((path) => path.toString());
const bytes = (...paths: readonly string[]): readonly Buffer[] => paths.map((path) => Buffer.from(path));

describe('findIncrement', () => {
  it.each<[string, TreeIndex, TreeIndex, readonly string[], readonly string[]]>([
    ['everything, without a base', index(), index('a f 1', 'd d 2', 'd/b f 3'), ['a', 'd', 'd/b'], []],
    ['nothing but folders', index('a f 1', 'd d 2'), index('a f 1', 'd d 9'), ['d'], []],
    ['a file that was copied', index('a f 1'), index('a f 2'), ['a'], []],
    ['a new file', index('a f 1'), index('a f 1', 'b f 2'), ['b'], []],
    ['a file that went', index('a f 1', 'l l 2'), index('a f 1'), [], ['l']],
    ['a file in a folder that went, with the folder', index('d d 1', 'd/a f 2', 'd/e d 3'), index(), [], []],
    ['a file that went from a folder', index('d d 1', 'd/a f 2'), index('d d 3'), ['d'], ['d/a']],
    ['a file where a folder was', index('d d 1', 'd/a f 2'), index('d f 3'), ['d'], []],
    ['a folder where a file was', index('d f 1'), index('d d 2', 'd/a f 3'), ['d', 'd/a'], []],
    ['all names of a file', index('a f 1', 'b f 2'), index('a f 1', 'b f 1'), ['a', 'b'], []],
  ])('sends %s', (_, base, tree, sent, removed) => {
    const increment = findIncrement(base, tree);
    expect({ sent: shown(increment.sent), removed: shown(increment.removed) }).toEqual({ sent, removed });
  });

  it('keeps the bytes of a path', () => {
    const name = Buffer.from([0x61, 0xe9, 0x0a, 0xff]);
    const entry: TreeIndex = new Map([[name.toString('latin1'), 'f 1 1.5 0']]);
    expect(findIncrement(entry, new Map()).removed).toEqual([name]);
    expect(findIncrement(new Map(), entry).sent).toEqual([name]);
  });
});

describe('outdatedEntries', () => {
  it.each<[string, TreeIndex, TreeIndex, readonly Buffer[], readonly string[]]>([
    ['leaves what did not come', index('a f 1', 'd d 2', 'd/b f 3'), index('d d 9'), [], []],
    ['takes what comes anew', index('a f 1', 'l l 2'), index('a f 1', 'l f 2'), [], ['a', 'l']],
    ['takes what was removed', index('a f 1', 'b f 2'), index(), bytes('b'), ['b']],
    ['takes folders that did not come', index('d d 1', 'd/a f 2', 'e d 3'), index('e d 1'), [], ['d']],
    ['takes folders that are none any more', index('d d 1'), index('d l 1'), [], ['d']],
    ['takes a file where there is a folder now', index('d l 1'), index('d d 1'), [], ['d']],
    ['leaves folders that are said to be removed and come', index('d d 1'), index('d d 1'), bytes('d'), []],
    [
      'takes nothing that the base does not have',
      index('l l 1'),
      index(),
      bytes('l/passwd', '../x', '/etc', '', '.'),
      [],
    ],
  ])('%s', (_, base, arrived, removed, outdated) => {
    expect(shown(outdatedEntries(base, arrived, removed))).toEqual(outdated);
  });
});
