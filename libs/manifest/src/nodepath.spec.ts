import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { keyNodepath, parseNodepath, splitNodepaths } from './nodepath.js';

const plain = (name: string) => ({ name, predicates: [], value: null });

describe('parseNodepath', () => {
  it.each([
    ['name', [plain('name')]],
    ['a/../b', [plain('a'), plain('..'), plain('b')]],
    ['a/b=c d', [plain('a'), { ...plain('b'), value: 'c d' }]],
    ['a="/:[]="', [{ ...plain('a'), value: '/:[]=' }]],
    [`a='"'`, [{ ...plain('a'), value: '"' }]],
    ['a="\\"\\\\"', [{ ...plain('a'), value: '"\\' }]],
    ["a=don't", [{ ...plain('a'), value: "don't" }]],
    ['a=b/c', [{ ...plain('a'), value: 'b' }, plain('c')]],
    ['main/farm:type', [plain('main'), plain('farm:type')]],
  ])('reads %s', (text, parts) => {
    expect(parseNodepath(text)).toEqual({ ok: true, nodepath: { parts } });
  });

  it('reads predicates', () => {
    const predicates = [
      { path: { parts: [plain('b'), plain('c')] }, value: '1' },
      { path: { parts: [plain('farm:d')] }, value: 'x' },
    ];
    const expected = { parts: [{ name: 'a', predicates, value: null }, plain('e')] };
    expect(parseNodepath('a[b/c=1:farm:d="x"]/e')).toEqual({ ok: true, nodepath: expected });
  });

  it.each([
    '',
    '/a',
    'a/',
    'a//b',
    'a[',
    'a[]',
    'a[b]',
    'a[b=]',
    'a]',
    'a=',
    'a="',
    'a b',
    'a[b=c',
    'a'.repeat(5000),
  ])('refuses %s with a reason', (text) => {
    expect(parseNodepath(text)).toEqual({ ok: false, reason: expect.stringMatching(/nodepath/) });
  });

  it('refuses brackets nested without end', () => {
    expect(parseNodepath('a[b'.repeat(1000)).ok).toBe(false);
  });

  it('answers whatever it is given', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('ab/:[]="\'\\ .')) }), (text) => {
        expect(typeof parseNodepath(text).ok).toBe('boolean');
      }),
    );
  });
});

describe('keyNodepath', () => {
  it('protects any key', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (key) => {
        const parsed = parseNodepath(keyNodepath(key));
        expect(parsed.ok && parsed.nodepath.parts[1]?.predicates[0]?.value).toBe(key);
      }),
    );
  });
});

describe('splitNodepaths', () => {
  it.each([
    ['', []],
    [' a/b\n  c ', ['a/b', 'c']],
    ['a[b="c d"]/e f', ['a[b="c d"]/e', 'f']],
    ["a='x \" y'", ["a='x \" y'"]],
  ])('splits %j', (list, nodepaths) => {
    expect(splitNodepaths(list)).toEqual(nodepaths);
  });

  it('sees quotes that are left open', () => {
    expect(splitNodepaths('a="b c')).toBeNull();
  });

  it('takes time in proportion to the length', () => {
    expect(splitNodepaths(`"${'\\"'.repeat(400_000)}`)).toBeNull();
  });
});
