import { describe, expect, it } from '@jest/globals';
import { showControls, showUnseen } from './visible-text.js';

describe('text of others', () => {
  it.each([
    ['plain, ümläut, 漢字, עברית', 'plain, ümläut, 漢字, עברית'],
    ['exe\u202egpj', 'exe⟨U+202E⟩gpj'],
    ['a\u2066b\u2069', 'a⟨U+2066⟩b⟨U+2069⟩'],
    ['zero\u200bwidth\ufeff', 'zero⟨U+200B⟩width⟨U+FEFF⟩'],
    ['two\u2028lines', 'two⟨U+2028⟩lines'],
  ])('%j is shown as %j', (text, shown) => {
    expect(showUnseen(text)).toBe(shown);
  });

  it('shows control characters as pictures, and keeps tabs', () => {
    expect(showControls('a\tb\u001b]0;title\u0007\r\u007f\u009b')).toBe('a\tb␛]0;title␇␍␡⟨U+009B⟩');
  });

  it('leaves JSON readable as JSON', () => {
    const value = { name: 'a\u202eb', nested: ['\u2067'] };
    expect(JSON.parse(showUnseen(JSON.stringify(value)))).toEqual({
      name: 'a⟨U+202E⟩b',
      nested: ['⟨U+2067⟩'],
    });
  });
});
