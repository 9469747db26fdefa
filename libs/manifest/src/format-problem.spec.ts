import { describe, expect, it } from '@jest/globals';
import { formatProblem } from './format-problem.js';
import { nearestName } from './nearest-name.js';
import { quoteValue } from './quote-value.js';

describe('formatProblem', () => {
  const problem = { path: 'distribution/@name', found: '"-"', expected: 'a name' };

  it('is one sentence that begins as compilers begin theirs', () => {
    expect(formatProblem({ file: 'a.xml', line: 3, column: 5, ...problem })).toBe(
      'a.xml:3:5: distribution/@name: found "-", expected a name',
    );
  });

  it('leaves out a place that is not known, and control characters of the file name', () => {
    expect(formatProblem({ file: 'a\u001b[2J.xml', line: null, column: null, ...problem })).toBe(
      'a?[2J.xml: distribution/@name: found "-", expected a name',
    );
  });
});

describe('quoteValue', () => {
  it.each([
    ['a', '"a"'],
    ['"a" "b"', `'"a" "b"'`],
    ['a\n\tb', '"a\\n\\tb"'],
    ['\u001b[2J\u202e', '"\\u{1b}[2J\\u{202e}"'],
    ['😀'.repeat(81), `"${'😀'.repeat(80)}…"`],
    ['x'.repeat(1_000_000), `"${'x'.repeat(80)}…"`],
  ])('shows %j', (value, shown) => {
    expect(quoteValue(value)).toBe(shown);
  });
});

describe('nearestName', () => {
  const names = ['packages', 'hostname', 'pkg', 'argslist'];

  it.each([
    ['arglist', 'argslist'],
    ['Hostname', 'hostname'],
    ['packges', 'packages'],
    ['pgk', null],
    ['distribution', null],
    ['x'.repeat(100_000), null],
  ])('for %s', (name, nearest) => {
    expect(nearestName(name, names)).toBe(nearest);
  });
});
