import { describe, expect, it } from '@jest/globals';
import { parseShown, showControls, showUnseen } from './visible-text.js';

describe('text of others', () => {
  it.each([
    ['plain, ümläut, 漢字, עברית', 'plain, ümläut, 漢字, עברית'],
    ['exe\u202egpj', 'exe⟨U+202E⟩gpj'],
    ['a\u2066b\u2069', 'a⟨U+2066⟩b⟨U+2069⟩'],
    ['zero\u200bwidth\ufeff', 'zero⟨U+200B⟩width⟨U+FEFF⟩'],
    ['two\u2028lines', 'two⟨U+2028⟩lines'],
    ['soft\u00adhyphen, \u3164', 'soft⟨U+00AD⟩hyphen, ⟨U+3164⟩'],
    ['tag\u{e0041}ged 😀', 'tag⟨U+E0041⟩ged 😀'],
  ])('%j is shown as %j', (text, shown) => {
    expect(showUnseen(text)).toBe(shown);
  });

  it('shows control characters as pictures, and keeps tabs', () => {
    expect(showControls('a\tb\u001b]0;title\u0007\r\u007f\u009b')).toBe('a\tb␛]0;title␇␍␡⟨U+009B⟩');
  });

  it('is shown in what JSON says, however it is written there', () => {
    const value = {
      name: 'a\u202eb',
      nested: ['\u2067'],
      reason: '\u001b]0;pwned\u0007 \b\f\r \u009b2J',
      note: 'two\nlines\tand a "quote"',
      path: 'C:\\u001b\\r',
    };
    expect(parseShown(JSON.stringify(value))).toEqual({
      name: 'a⟨U+202E⟩b',
      nested: ['⟨U+2067⟩'],
      reason: '␛]0;pwned␇ ␈␌␍ ⟨U+009B⟩2J',
      note: value.note,
      path: value.path,
    });
    expect(parseShown(String.raw`"\u202E\u200b \u00e9 \u000a"`)).toBe('⟨U+202E⟩⟨U+200B⟩ é \n');
  });

  it('is no JSON where it was none', () => {
    expect(() => parseShown('<html>')).toThrow(SyntaxError);
  });
});
