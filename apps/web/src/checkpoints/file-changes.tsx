import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef } from 'react';
import type { FileChange } from '#libs/contracts';
import { describeFileChange } from '#libs/watch';

const LINE_PX = 22;
const OVERSCAN = 20;
/** So near the end of what is read, the next page is. */
const NEAR_LINES = 100;

interface FileChangesProps {
  readonly changes: readonly FileChange[];
  /** On all pages. */
  readonly matching: number;
  readonly isFiltered: boolean;
  /** Reads the next page; `null`: there is none, or it is on its way. */
  readonly onMore: (() => void) | null;
}

const SIGNS: Readonly<Record<FileChange['change'], string>> = { added: '+', removed: '−', changed: '~' };

/** A line for each file, of which only those are there that are seen. */
export function FileChanges({ changes, matching, isFiltered, onMore }: FileChangesProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: changes.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_PX,
    overscan: OVERSCAN,
    getItemKey: (index) => changes[index]?.path ?? index,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= changes.length - NEAR_LINES) onMore?.();
  }, [last, changes.length, onMore === null]);
  if (matching === 0)
    return <p className="none">{isFiltered ? 'No such file differs.' : 'No file differs.'}</p>;
  return (
    <>
      <p className="more" role="status">
        {matching.toLocaleString()} {matching === 1 ? 'differs' : 'differ'}
        {isFiltered ? ', of those with that in their path' : ''}.
      </p>
      <div ref={scroller} className="file-changes" role="region" aria-label="Files that differ" tabIndex={0}>
        <ul role="list" style={{ height: virtual.getTotalSize() }}>
          {items.map(({ index, key, start }) => {
            const change = changes[index];
            return change === undefined ? null : (
              <li
                key={key}
                aria-setsize={matching}
                aria-posinset={index + 1}
                data-change={change.change}
                style={{ transform: `translateY(${start}px)` }}
              >
                <span className="sign" aria-hidden="true">
                  {SIGNS[change.change]}
                </span>
                <span className="hidden">{change.change} </span>
                <bdi dir="ltr" className="path">
                  {change.path}
                </bdi>{' '}
                <span className="more">{describeFileChange(change)}</span>
              </li>
            );
          })}
        </ul>
      </div>
    </>
  );
}
