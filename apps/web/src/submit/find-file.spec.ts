import { describe, expect, it } from '@jest/globals';
import { lookups, placeOf } from './find-file.js';

describe('where a file belongs that a manifest names', () => {
  it.each([
    ['live.xml', 'steps/pop', 'steps/pop', 0],
    ['live.xml', './steps//pop', 'steps/pop', 0],
    ['examples/live.xml', '../finalizers/pop', 'finalizers/pop', 0],
    ['farm/examples/live.xml', '../finalizers/../finalizers/pop', 'farm/finalizers/pop', 0],
    ['live.xml', '../finalizers/pop', 'finalizers/pop', 1],
    ['live.xml', '../../x', 'x', 2],
  ])('seen from %s, %s is %s, %d above', (manifest, named, path, above) => {
    expect(placeOf(manifest, named)).toEqual({ path, above });
  });
});

describe('where to look for it', () => {
  const file = (name: string) => ({ kind: 'file', name }) as const;
  const folder = (name: string) => ({ kind: 'folder', name }) as const;
  it.each([
    ['a file by its name', 'steps/pop', [file('pop'), file('iso')], [[0, null]]],
    [
      'a folder by its name, then as the one above',
      'steps/pop',
      [folder('steps')],
      [
        [0, 'pop'],
        [0, 'steps/pop'],
      ],
    ],
    [
      'a folder out of another',
      'finalizers/debian/pop',
      [folder('debian')],
      [
        [0, 'pop'],
        [0, 'finalizers/debian/pop'],
      ],
    ],
    ['the folder above', 'finalizers/pop', [folder('farm')], [[0, 'finalizers/pop']]],
    [
      'what has more of the path first',
      'steps/pop',
      [file('pop'), folder('steps')],
      [
        [1, 'pop'],
        [0, null],
        [1, 'steps/pop'],
      ],
    ],
    [
      'a folder within one of its name',
      'a/a/x',
      [folder('a')],
      [
        [0, 'a/x'],
        [0, 'x'],
        [0, 'a/a/x'],
      ],
    ],
    ['no file for a folder of its name', 'pop/x', [file('pop')], []],
  ] as const)('%s', (_, path, things, expected) => {
    expect(lookups(path, things).map(({ thing, below }) => [thing, below])).toEqual(expected);
  });
});
