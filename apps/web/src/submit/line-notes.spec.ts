import { describe, expect, it } from '@jest/globals';
import { cutLine, linesOf, noteOfFarm, notesByLine, type LineNote } from './line-notes.js';

describe('what the farm found', () => {
  const files = new Map([['live.xml', 'examples/live.xml']]);
  it.each([
    [
      'live.xml:12:5: a/b: found "x: y", expected z',
      { file: 'examples/live.xml', line: 12, column: 5, text: 'a/b: found "x: y", expected z' },
    ],
    [
      'live.xml:12: step "a": gone',
      { file: 'examples/live.xml', line: 12, column: null, text: 'step "a": gone' },
    ],
  ])('%s is at its line', (problem, note) => {
    expect(noteOfFarm(problem, files)).toEqual({ kind: 'error', ...note });
  });

  it.each(['other.xml:1: x', 'steps/a (sha256) is not in the catalogue', 'live.xml: x', ''])(
    '%j is at no line',
    (problem) => {
      expect(noteOfFarm(problem, files)).toBeNull();
    },
  );
});

it('has notes by their line, those of a whole file at its first', () => {
  const note = (file: string, line: number | null, text: string): LineNote => {
    return { kind: 'error', file, line, column: null, text };
  };
  const notes = [note('a', 2, 'x'), note('b', 2, 'y'), note('a', null, 'z'), note('a', 2, 'w')];
  expect([...notesByLine(notes, 'a')].map(([line, there]) => [line, there.map(({ text }) => text)])).toEqual([
    [2, ['x', 'w']],
    [1, ['z']],
  ]);
});

it('ends lines as XML does', () => {
  expect(linesOf('a\r\nb\rc\n\nd')).toEqual(['a', 'b', 'c', '', 'd']);
});

describe('a long line', () => {
  const line = 'x'.repeat(1_000_000);
  it.each([
    ['its begin', null, 0],
    ['where the column is', 500_000, 499_799],
    ['its end', 1_000_000, 999_000],
  ])('is shown at %s', (_, column, before) => {
    const cut = cutLine(line, column);
    expect(cut).toMatchObject({ before, after: 1_000_000 - before - 1000 });
    expect(cut.text).toHaveLength(1000);
  });

  it('is left alone when it is not that long', () => {
    expect(cutLine('short', 3)).toEqual({ before: 0, text: 'short', after: 0 });
  });
});
