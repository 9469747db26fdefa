import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ChangesByFolder } from './folder-changes.js';

function listed(paths: readonly string[], most: number): readonly string[] {
  const changes = new ChangesByFolder();
  for (const path of paths) changes.add(path, 'added', 10);
  return changes
    .list(most)
    .map(({ path, added, bytes, isWhole }) => `${path}/${isWhole ? '' : '*'} ${added} ${bytes}`);
}

describe('ChangesByFolder', () => {
  const TREE = ['a/x/1', 'a/x/2', 'a/x/3', 'a/y/1', 'a/1', 'b/1'];
  it.each<[string, readonly string[], number, readonly string[]]>([
    ['nothing', [], 10, []],
    ['a file at the top', ['f'], 10, ['/ 1 10']],
    ['the top alone', TREE, 1, ['/ 6 60']],
    ['folders at the top', TREE, 2, ['a/ 5 50', 'b/ 1 10']],
    ['the fullest one opened', TREE, 4, ['a/* 1 10', 'a/x/ 3 30', 'a/y/ 1 10', 'b/ 1 10']],
    ['a single folder, however deep', ['a/b/c/1', 'a/b/c/2', 'a/b/d/1'], 2, ['a/b/c/ 2 20', 'a/b/d/ 1 10']],
  ])('tells of %s', (_, paths, most, expected) => {
    expect(listed(paths, most)).toEqual(expected);
  });

  it('counts each change in one line, and has no more lines than wanted', () => {
    const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 5 });
    const change = fc.tuple(path, fc.constantFrom('added', 'removed', 'changed'), fc.integer());
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), fc.integer({ min: 1, max: 8 }), (all, most) => {
        const changes = new ChangesByFolder();
        for (const [parts, kind, bytes] of all) changes.add(parts.join('/'), kind, bytes);
        const lines = changes.list(most);
        expect(lines.length).toBeLessThanOrEqual(most);
        for (const kind of ['added', 'removed', 'changed'] as const)
          expect(lines.reduce((sum, line) => sum + line[kind], 0)).toBe(
            all.filter((each) => each[1] === kind).length,
          );
        expect(lines.reduce((sum, line) => sum + line.bytes, 0)).toBe(
          all.reduce((sum, [, , bytes]) => sum + bytes, 0),
        );
      }),
    );
  });
});
