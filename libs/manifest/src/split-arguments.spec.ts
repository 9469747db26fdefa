import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { splitArguments, splitWords } from './split-arguments.js';

describe('splitArguments', () => {
  it.each([
    ['', []],
    ['  ', []],
    ['"a b" "c"', ['a b', 'c']],
    ['x y z', ['x y z']],
    ['"a""b"', ['a', 'b']],
    ['"a" b "c"', ['a', 'b c']],
    ['"a" b', ['a', 'b']],
    ['usr_zlib_compression="gzip 9"', ['usr_zlib_compression=gzip 9']],
    ["'a b' 'c'", ['a b', 'c']],
    [`"it's" 'say "x"'`, ["it's", 'say "x"']],
    ['"say \\"x\\"" "b"', ['say "x"', 'b']],
    ['a \\"b\\"', ['a "b"']],
    ['"" "a" \'\'', ['a']],
    ['"C:\\temp" "b"', ['C:\\temp', 'b']],
    ["don't", ["don't"]],
    ['don\'t "panic now"', ["don't panic now"]],
    ['"a\nb"', ['a\nb']],
  ])('splits %j', (list, words) => {
    expect(splitArguments(list)).toEqual({ ok: true, words });
  });

  it.each([
    ['"a', '"'],
    ['"a" "b', '"'],
    ["'a", "'"],
    ["dogs' tails", "'"],
    ["'don't'", "'"],
    ['"a\\"', '"'],
  ])('names the quote that %j leaves open', (list, quote) => {
    expect(splitArguments(list)).toEqual({ ok: false, quote });
  });

  it('gives back any words that were written in quotes', () => {
    const word = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => !/\\$|\\["']/.test(text));
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const list = words.map((each) => `"${each.replaceAll('"', '\\"')}"`).join(' ');
        expect(splitArguments(list)).toEqual({ ok: true, words });
      }),
    );
  });

  it('answers whatever it is given', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', "'", '\\', ' ', 'a', '\n') }), (list) => {
        const result = splitArguments(list);
        if (result.ok) expect(result.words).not.toContain('');
      }),
    );
  });
});

describe('splitWords', () => {
  it.each([
    ['cat  /etc/hosts', ['cat', '/etc/hosts']],
    [`sh -c 'a "b"' ""`, ['sh', '-c', 'a "b"', '']],
    ['--name="a b"', ['--name=a b']],
    ["don't", ["don't"]],
  ])('splits %j', (line, words) => {
    expect(splitWords(line)).toEqual({ ok: true, words });
  });

  it('names the quote that is left open', () => {
    expect(splitWords("cat 'x")).toEqual({ ok: false, quote: "'" });
  });
});
