import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { collapseReads, readsLine } from './collapse-reads.js';
import { splitNodepaths } from './nodepath.js';
import { readsCover } from './reads-cover.js';

describe('collapseReads', () => {
  it.each<[readonly string[], readonly string[]]>([
    [[], []],
    [['name', 'name'], ['name']],
    [
      ['img_params/packages/pkg/name', 'img_params/packages', 'name'],
      ['img_params/packages', 'name'],
    ],
    [
      ['a/b[c=1]', 'a/b[c=2]'],
      ['a/b[c=1]', 'a/b[c=2]'],
    ],
    [['a/b[c=1]', 'a/b'], ['a/b']],
    [['a="b"', 'a=b'], ['a="b"']],
    [
      ['a/../b', 'a'],
      ['a', 'a/../b'],
    ],
  ])('makes of %j %j', (asked, expected) => {
    expect(collapseReads(asked)).toEqual(expected);
  });

  it('allows what was asked, and is itself part of that', () => {
    const nodepath = fc
      .array(fc.constantFrom('a', 'b', 'c[d=1]', 'c'), { minLength: 1, maxLength: 3 })
      .map((parts) => parts.join('/'));
    fc.assert(
      fc.property(fc.array(nodepath), (asked) => {
        const collapsed = collapseReads(asked);
        expect(asked).toEqual(expect.arrayContaining([...collapsed]));
        for (const each of asked) expect(readsCover(collapsed, each)).toBe(true);
        expect(collapseReads(collapsed)).toEqual(collapsed);
      }),
    );
  });
});

describe('readsLine', () => {
  it('is read as it was meant', () => {
    const nodepaths = ['name', 'key_value_pairs/pair[key="a b"]/value'];
    expect(readsLine(nodepaths)).toBe(`# farm:reads: name key_value_pairs/pair[key="a b"]/value`);
    expect(splitNodepaths(readsLine(nodepaths).slice('# farm:reads:'.length))).toEqual(nodepaths);
  });

  it('leaves out what no list can hold, and may be empty', () => {
    expect(readsLine(['a[b=c d]', 'name'])).toBe('# farm:reads: name');
    expect(readsLine([])).toBe('# farm:reads:');
  });
});
