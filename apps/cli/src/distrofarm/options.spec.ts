import { describe, expect, it } from '@jest/globals';
import { Matrix } from '#libs/contracts';
import { matrix } from './options.js';

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
