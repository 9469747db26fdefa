import { describe, expect, it } from '@jest/globals';
import { keyNodepath } from './nodepath.js';
import { readsCover } from './reads-cover.js';

describe('readsCover', () => {
  const declared = ['img_params/packages', 'a/b[c=d]', 'key_value_pairs/pair[key="iso sort"]/value', 'x/y/z'];

  it.each([
    'img_params/packages',
    'img_params/packages/pkg/name',
    'img_params/packages/pkg[name=vim]/name',
    'img_params/packages[pkg/name=vim]/pkg/name',
    'img_params/packages/pkg/../pkg/name',
    'img_params/packages/pkg[../pkg/name=vim]',
    'a/b[c=d]/e',
    "a/b[c='d']/e",
    keyNodepath('iso sort'),
    'x/y/z=1',
  ])('allows %s', (nodepath) => {
    expect(readsCover(declared, nodepath)).toBe(true);
  });

  it.each([
    'img_params',
    'img_params/hostname',
    'img_params/packagesx',
    'img_params/packages/../rootpass',
    'img_params/packages/pkg/../../rootpass',
    'img_params/packages[../rootpass=x]',
    'img_params/packages/pkg[../../rootpass=x]/name',
    'img_params/packages/pkg/name[../../../rootpass=x]',
    'img_params[rootpass=x]/packages',
    'a/b',
    'a/b[c=e]',
    'x/y[other=1]/z',
    keyNodepath('other'),
    'key_value_pairs/pair/value',
    '../distribution/img_params/packages',
    '/img_params/packages',
    '',
  ])('does not allow %s', (nodepath) => {
    expect(readsCover(declared, nodepath)).toBe(false);
  });

  it('allows nothing when nothing is declared', () => {
    expect(readsCover([], 'name')).toBe(false);
  });
});
