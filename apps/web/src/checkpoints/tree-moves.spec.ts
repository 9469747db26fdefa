import { describe, expect, it } from '@jest/globals';
import type { TrieNode } from '#libs/contracts';
import { treeMove, type TreeMove } from './tree-moves.js';
import type { TrieRow } from './trie-rows.js';

const row = (id: string, parent: string | null, isOpen: boolean | null): TrieRow => ({
  ...{ kind: 'node', id, parent, isOpen, node: {} as TrieNode },
  ...{ level: 1, indent: 0, position: 1, setSize: 1 },
});
const ROWS: readonly TrieRow[] = [
  row('a', null, true),
  row('b', 'a', null),
  row('c', 'a', false),
  { kind: 'more', id: 'a more', parent: 'a', level: 2, indent: 1 },
  { kind: 'loading', id: 'c loading', parent: 'c', level: 3, indent: 1 },
];
const go = (to: string): TreeMove => ({ kind: 'go', to });

describe('a key in the tree', () => {
  it.each<[key: string, at: string | null, move: TreeMove | null]>([
    ['ArrowDown', 'a', go('b')],
    ['ArrowDown', 'c loading', go('c loading')],
    ['ArrowDown', null, go('a')],
    ['ArrowUp', 'b', go('a')],
    ['ArrowUp', 'a', go('a')],
    ['ArrowUp', null, go('a')],
    ['Home', 'c', go('a')],
    ['End', 'a', go('c loading')],
    ['PageDown', 'a', go('c loading')],
    ['PageUp', 'c', go('a')],
    ['ArrowRight', 'a', go('b')],
    ['ArrowRight', 'b', null],
    ['ArrowRight', 'c', { kind: 'open', id: 'c' }],
    ['ArrowLeft', 'a', { kind: 'close', id: 'a' }],
    ['ArrowLeft', 'b', go('a')],
    ['ArrowLeft', 'c', go('a')],
    ['ArrowLeft', 'a more', go('a')],
    ['ArrowLeft', 'nowhere', null],
    ['Enter', 'c', { kind: 'choose', id: 'c' }],
    [' ', 'a', { kind: 'choose', id: 'a' }],
    ['Enter', 'a more', { kind: 'more', id: 'a more' }],
    ['Enter', 'c loading', null],
    ['Enter', null, null],
    ['x', 'a', null],
  ])('%s at %s', (key, at, move) => {
    expect(treeMove(ROWS, at, key)).toEqual(move);
  });

  it('does nothing in an empty tree', () => {
    expect(treeMove([], null, 'ArrowDown')).toBeNull();
  });
});
