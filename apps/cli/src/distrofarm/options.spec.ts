import { describe, expect, it } from '@jest/globals';
import { Matrix } from '#libs/contracts';
import { byteCount, matrix } from './options.js';

const given = (...options: readonly string[]) =>
  options.reduce<Matrix>((before, text) => matrix(text, before), {});

describe('--matrix', () => {
  it.each<[readonly string[], Matrix]>([
    [['locale=en,de'], { locale: ['en', 'de'] }],
    [['locale=en', 'edition=base', 'locale=pt-BR,en'], { locale: ['en', 'pt-BR'], edition: ['base'] }],
    [['locale'], { locale: [] }],
    [['locale', 'locale=en'], { locale: [] }],
    [['locale=en', 'locale'], { locale: [] }],
    [['constructor=a'], { constructor: ['a'] }],
  ])('%j', (options, expected) => {
    expect(given(...options)).toEqual(expected);
    expect(Matrix.parse(given(...options))).toEqual(expected);
  });

  it.each(['', '=', 'locale=', 'locale=en,', 'locale=,en', 'locale = en', '__proto__=x', 'a=b=c', '*'])(
    'refuses %j',
    (text) => {
      expect(() => given(text)).toThrow(/^Expected an axis of the manifest/);
    },
  );
});

describe('--free', () => {
  it.each([
    ['0', 0],
    ['512', 512],
    ['3k', 3000],
    ['1.5T', 1_500_000_000_000],
    ['20GB', 20_000_000_000],
  ])('%s', (text, expected) => {
    expect(byteCount(text)).toBe(expected);
  });

  it.each(['', 'G', '20 G', '-1G', '1.5.5G', '20g', '1e9', '99999T'])('refuses %j', (text) => {
    expect(() => byteCount(text)).toThrow(/^Expected a size such as/);
  });
});
