import type { TrieRow } from './trie-rows.js';

/** What a key does in the tree, as the WAI-ARIA pattern for trees has it. */
export type TreeMove =
  | { readonly kind: 'go'; readonly to: string }
  | { readonly kind: 'open' | 'close' | 'choose' | 'more'; readonly id: string };

const PAGE_ROWS = 15;

/** `null`: nothing, and the key is somebody else's. @param at id of the row that the cursor is on; unknown: on none */
export function treeMove(rows: readonly TrieRow[], at: string | null, key: string): TreeMove | null {
  const index = rows.findIndex(({ id }) => id === at);
  const row = rows[index];
  const go = (to: number): TreeMove | null => {
    const target = rows[Math.max(0, Math.min(rows.length - 1, to))];
    return target === undefined ? null : { kind: 'go', to: target.id };
  };
  switch (key) {
    case 'ArrowDown':
      return go(index + 1);
    case 'ArrowUp':
      return go(Math.max(index, 0) - 1);
    case 'PageDown':
      return go(index + PAGE_ROWS);
    case 'PageUp':
      return go(index - PAGE_ROWS);
    case 'Home':
      return go(0);
    case 'End':
      return go(rows.length - 1);
    case 'ArrowRight':
      if (row?.kind !== 'node' || row.isOpen === null) return null;
      return row.isOpen ? go(index + 1) : { kind: 'open', id: row.id };
    case 'ArrowLeft':
      if (row === undefined) return null;
      if (row.kind === 'node' && row.isOpen === true) return { kind: 'close', id: row.id };
      return row.parent === null ? null : { kind: 'go', to: row.parent };
    case 'Enter':
    case ' ':
      if (row === undefined || row.kind === 'loading') return null;
      return { kind: row.kind === 'more' ? 'more' : 'choose', id: row.id };
    default:
      return null;
  }
}
