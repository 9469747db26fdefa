import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import { treeMove } from './tree-moves.js';
import type { NodeRow, TrieRow } from './trie-rows.js';

interface TrieTreeProps {
  readonly label: string;
  readonly rows: readonly TrieRow[];
  /** Id of the node that the page shows. */
  readonly chosen: string | null;
  readonly onChoose: (id: string) => void;
  readonly onOpen: (id: string, isOpen: boolean) => void;
  /** Wants more of the level. */
  readonly onMore: (parent: string | null) => void;
  readonly children: (row: NodeRow) => ReactNode;
}

const ROW_PX = 32;
const OVERSCAN = 10;

/**
 * A tree with one cursor. Only rows that are seen, and a few around them, are in the document; focus stays on the tree, so it is not lost when the row of the cursor leaves.
 */
export function TrieTree({ label, rows, chosen, onChoose, onOpen, onMore, children }: TrieTreeProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const id = useId();
  // Whoever chooses elsewhere takes the cursor along.
  const [cursor, setCursor] = useState<{ readonly at: string; readonly since: string | null } | null>(null);
  const own = cursor !== null && cursor.since === chosen ? cursor.at : chosen;
  const at = rows.some((row) => row.id === own) ? own : (rows[0]?.id ?? null);
  const index = rows.findIndex((row) => row.id === at);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN,
  });
  useEffect(() => {
    if (index >= 0) virtual.scrollToIndex(index, { align: 'auto' });
    // Only where the cursor went: rows that come in above it leave the eye where it is.
  }, [virtual, at]);

  const use = (row: TrieRow): void => {
    setCursor({ at: row.id, since: chosen });
    if (row.kind === 'more') onMore(row.parent);
    else if (row.kind === 'node') onChoose(row.id);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = treeMove(rows, at, event.key);
    if (move === null) return;
    event.preventDefault();
    const row = rows.find((each) => each.id === at);
    if (move.kind === 'go') setCursor({ at: move.to, since: chosen });
    else if (move.kind === 'open' || move.kind === 'close') onOpen(move.id, move.kind === 'open');
    else if (row !== undefined) use(row);
  };
  const rowId = (row: number): string => `${id}-${row}`;
  return (
    <div className="trie-scroller" ref={scroller}>
      <div
        role="tree"
        aria-label={label}
        aria-activedescendant={index < 0 ? undefined : rowId(index)}
        tabIndex={0}
        className="trie"
        style={{ height: virtual.getTotalSize() }}
        onKeyDown={onKeyDown}
      >
        {virtual.getVirtualItems().map(({ index: row, start }) => {
          const each = rows[row];
          if (each === undefined) return null;
          return (
            <div
              key={each.id}
              id={rowId(row)}
              role="treeitem"
              aria-level={each.level}
              aria-posinset={each.kind === 'node' ? each.position : undefined}
              aria-setsize={each.kind === 'node' ? each.setSize : undefined}
              aria-expanded={each.kind === 'node' ? (each.isOpen ?? undefined) : undefined}
              aria-selected={each.id === chosen}
              className="trie-row"
              data-cursor={each.id === at || undefined}
              style={{ transform: `translateY(${start}px)` }}
              onClick={() => use(each)}
            >
              <Indent row={each} onOpen={onOpen} />
              {each.kind === 'node' ? (
                children(each)
              ) : (
                <span className="trie-name more">{each.kind === 'more' ? 'Show more…' : 'Loading…'}</span>
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** Deeper ones stand below each other: a phone is narrow. */
const MOST_INDENT = 12;

function Indent({ row, onOpen }: { readonly row: TrieRow; readonly onOpen: TrieTreeProps['onOpen'] }) {
  const isOpen = row.kind === 'node' ? row.isOpen : null;
  return (
    <span
      className="trie-indent"
      style={{ width: `${1.4 + 1.1 * Math.min(row.indent, MOST_INDENT)}rem` }}
      aria-hidden="true"
      onClick={(event) => {
        if (isOpen === null) return;
        event.stopPropagation();
        onOpen(row.id, !isOpen);
      }}
    >
      {isOpen === null ? '·' : isOpen ? '▾' : '▸'}
    </span>
  );
}
