import { describe, expect, it } from '@jest/globals';
import { cleaned, toJson } from './cleaned.js';
import { cut, fit, shownWidth, textTable } from './text-table.js';

describe('textTable', () => {
  it('puts columns under each other, colours or not', () => {
    expect(
      textTable(
        ['ID', 'STATE'],
        [
          ['b-1', '\u001b[32mok\u001b[39m'],
          ['b-1000', 'failed'],
        ],
      ),
    ).toEqual(['ID      STATE', 'b-1     \u001b[32mok\u001b[39m', 'b-1000  failed']);
  });
});

describe('widths', () => {
  it.each([
    ['plain', 5],
    ['é', 1],
    ['e\u0301', 1],
    ['像', 2],
    ['✓▸✗‖', 4],
    ['\u001b[1mbold\u001b[22m', 4],
  ])('%j takes %d', (text, width) => {
    expect(shownWidth(text)).toBe(width);
  });

  it.each([
    ['abcdef', 6, 'abcdef'],
    ['abcdef', 5, 'abcd…'],
    ['像像像', 5, '像像…'],
    ['像像像', 4, '像…'],
    ['abc', 0, ''],
    ['abc', -3, ''],
  ])('%j cut to %d is %j', (text, width, shown) => {
    expect(cut(text, width)).toBe(shown);
  });

  it('fills up', () => {
    expect(fit('像像', 4)).toBe('像像');
    expect(fit('像像', 3)).toBe('像…');
    expect(fit('a', 3)).toBe('a  ');
  });
});

describe('what others wrote', () => {
  it('is harmless, however deep', () => {
    expect(cleaned({ note: '\u001b[2J', list: [{ '\u0007': 'ok' }], n: 1, none: null })).toEqual({
      note: '\\x1b[2J',
      list: [{ '\\x07': 'ok' }],
      n: 1,
      none: null,
    });
  });

  it('is the same value in JSON', () => {
    const value = { text: '\u009b31m\u202e\u001b' };
    expect(toJson(value)).toMatch(/^[ -~]*$/);
    expect(JSON.parse(toJson(value))).toEqual(value);
  });
});
