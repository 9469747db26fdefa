import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { shownName } from './shown-name.js';

const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

describe('shownName', () => {
  it.each([
    ['plain ASCII', 'usr/bin/[', 'usr/bin/['],
    ['UTF-8', latin1('etc/größe/日本'), 'etc/größe/日本'],
    ['Latin-1 bytes', 'gr\xf6\xdfe', 'gr\\xf6\\xdfe'],
    ['UTF-8 beside what is none', `${latin1('ö')}\xff`, 'ö\\xff'],
    ['an overlong slash', '\xc0\xaf', '\\xc0\\xaf'],
    ['half of a surrogate pair', '\xed\xa0\x80', '\\xed\\xa0\\x80'],
    ['a character cut short', '\xe6\x97', '\\xe6\\x97'],
    ['a newline and an escape', 'a\n\x1b[2Jb', 'a\\u{a}\\u{1b}[2Jb'],
    ['text that is turned', latin1('a\u202egpj.exe'), 'a\\u{202e}gpj.exe'],
    ['what has no width', latin1('a\u200b\ufeffb'), 'a\\u{200b}\\u{feff}b'],
    ['a separator of lines', latin1('a\u2028b'), 'a\\u{2028}b'],
    ['a backslash', 'a\\xffb', 'a\\\\xffb'],
  ])('shows %s', (_, name, shown) => {
    expect(shownName(name)).toBe(shown);
  });

  it('is harmless, and another one for other bytes', () => {
    const names = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    fc.assert(
      fc.property(names, names, (one, other) => {
        expect(shownName(one)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        expect(shownName(one) === shownName(other)).toBe(one === other);
      }),
      { numRuns: 2000 },
    );
  });
});
