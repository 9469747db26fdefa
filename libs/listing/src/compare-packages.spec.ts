import { describe, expect, it } from '@jest/globals';
import { comparePackages } from './compare-packages.js';
import type { ListedPackage } from './listed-entry.js';

/** `name version`, or `name:architecture version`. */
function packagesOf(...texts: readonly string[]): readonly ListedPackage[] {
  return texts.map((text) => {
    const [key = '', version = ''] = text.split(' ');
    const [name = '', architecture = 'amd64'] = key.split(':');
    return { name, architecture, version };
  });
}

describe('comparePackages', () => {
  it.each<[string, readonly string[], readonly string[], readonly string[]]>([
    ['nothing', [], [], []],
    ['the same', ['a 1', 'b 2'], ['b 2', 'a 1'], []],
    ['one more', ['a 1'], ['a 1', 'b 2'], ['b: - > 2']],
    ['one less', ['a 1', 'b 2'], ['b 2'], ['a: 1 > -']],
    ['another version', ['a 1:1.0-1'], ['a 1:1.0-2'], ['a: 1:1.0-1 > 1:1.0-2']],
    ['another architecture', ['a 1'], ['a:i386 1'], ['a: 1 > -', 'a: - > 1']],
    [
      'all at once, by name',
      ['c 1', 'a 1', 'b 1'],
      ['d 1', 'b 2', 'a 1'],
      ['b: 1 > 2', 'c: 1 > -', 'd: - > 1'],
    ],
  ])('tells %s', (_, before, after, expected) => {
    const told = comparePackages(packagesOf(...before), packagesOf(...after));
    expect(told.map(({ name, from, to }) => `${name}: ${from ?? '-'} > ${to ?? '-'}`)).toEqual(expected);
  });
});
