import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useId, useRef, type KeyboardEvent, type ReactNode } from 'react';

export interface GridPlace {
  readonly row: number;
  readonly column: number;
}

interface GridProps {
  readonly label: string;
  readonly rows: number;
  readonly columns: number;
  /** Whether there are few columns, which then share the width. */
  readonly isWide?: boolean;
  /** Where the cursor is; outside, when it is nowhere. */
  readonly at: GridPlace;
  readonly onMove: (place: GridPlace) => void;
  readonly rowHead: (row: number) => ReactNode;
  readonly columnHead: (column: number) => ReactNode;
  /** An element of role gridcell is around it. */
  readonly cell: (row: number, column: number) => ReactNode;
}

const ROW_PX = 30;
const OVERSCAN = 8;
const PAGE_ROWS = 20;

/**
 * A grid with one cursor, which arrow keys, Home, End, Page Up and Page Down move. Only rows that are seen, and a few around them, are in the
 * document; focus stays on the grid, so it is not lost when the row of the cursor leaves.
 */
export function Grid(props: GridProps) {
  const { label, rows, columns, isWide = false, at, onMove, rowHead, columnHead, cell } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const id = useId();
  const virtual = useVirtualizer({
    count: rows,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN,
  });
  const items = virtual.getVirtualItems();
  const isSomewhere = at.row >= 0 && at.column >= 0;
  const cellId = ({ row, column }: GridPlace): string => `${id}-${row}-${column}`;

  useEffect(() => {
    if (at.row >= 0) virtual.scrollToIndex(at.row, { align: 'auto' });
  }, [virtual, at.row]);
  useEffect(() => {
    document
      .getElementById(`${id}-${at.row}-${at.column}`)
      ?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [id, at.row, at.column]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const next = moved(at, event.key, event.ctrlKey, { rows, columns });
    if (next === null) return;
    event.preventDefault();
    onMove(next);
  };

  const template = isWide
    ? { gridTemplateColumns: `minmax(6rem, 1.4fr) repeat(${columns}, minmax(7rem, 1fr))` }
    : { gridTemplateColumns: `min(19rem, 45vw) repeat(${columns}, 6rem)` };
  return (
    <div className="grid-scroller" ref={scroller}>
      <div
        role="grid"
        aria-label={label}
        aria-rowcount={rows + 1}
        aria-colcount={columns + 1}
        aria-activedescendant={isSomewhere ? cellId(at) : undefined}
        tabIndex={0}
        className="grid"
        data-wide={isWide || undefined}
        onKeyDown={onKeyDown}
      >
        <div role="rowgroup" className="grid-head">
          <div role="row" aria-rowindex={1} className="grid-row" style={template}>
            <span role="columnheader" aria-colindex={1} className="grid-corner">
              <span className="hidden">Name</span>
            </span>
            {range(columns).map((column) => (
              <span key={column} role="columnheader" aria-colindex={column + 2} className="grid-column-head">
                {columnHead(column)}
              </span>
            ))}
          </div>
        </div>
        <div role="rowgroup" className="grid-body" style={{ height: virtual.getTotalSize() }}>
          {items.map(({ index: row, start }) => (
            <div
              key={row}
              role="row"
              aria-rowindex={row + 2}
              className="grid-row"
              style={{ ...template, transform: `translateY(${start}px)` }}
            >
              <span role="rowheader" aria-colindex={1} className="grid-row-head">
                {rowHead(row)}
              </span>
              {range(columns).map((column) => (
                <div
                  key={column}
                  id={cellId({ row, column })}
                  role="gridcell"
                  aria-colindex={column + 2}
                  aria-selected={row === at.row && column === at.column}
                  className="grid-cell"
                  onClick={() => onMove({ row, column })}
                >
                  {cell(row, column)}
                </div>
              ))}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Where a key leads to; `null` for keys that lead nowhere. */
function moved(
  at: GridPlace,
  key: string,
  isCtrl: boolean,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): GridPlace | null {
  const to = (row: number, column: number): GridPlace => ({
    row: Math.max(0, Math.min(rows - 1, row)),
    column: Math.max(0, Math.min(columns - 1, column)),
  });
  switch (key) {
    case 'ArrowUp':
      return to(at.row - 1, at.column);
    case 'ArrowDown':
      return to(at.row + 1, at.column);
    case 'ArrowLeft':
      return to(at.row, at.column - 1);
    case 'ArrowRight':
      return to(at.row, at.column + 1);
    case 'PageUp':
      return to(at.row - PAGE_ROWS, at.column);
    case 'PageDown':
      return to(at.row + PAGE_ROWS, at.column);
    case 'Home':
      return to(isCtrl ? 0 : at.row, 0);
    case 'End':
      return to(isCtrl ? rows : at.row, columns);
    default:
      return null;
  }
}
