import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useId, useLayoutEffect, useMemo, useRef, type KeyboardEvent } from 'react';
import { localClock, utc } from '../kit/local-time.js';
import { ansiParts } from './ansi-parts.js';
import type { AttemptLog, LogView } from './attempt-log.js';
import type { LogLevel, LogLine } from './log-lines.js';
import { lineAt } from './log-window.js';

const LINE_PX = 19;
const OVERSCAN = 20;
/** So near an end of what is in memory, the next range is read. */
const NEAR_PX = 1_200;
/** Whoever has scrolled so far away from the end does not want to be carried along. */
const AWAY_PX = 60;

interface LogListProps {
  readonly log: AttemptLog;
  readonly view: LogView;
  /** Offset of the line that is looked at; `null` for none. */
  readonly selected: number | null;
  readonly onSelect: (offset: number) => void;
  readonly label: string;
}

/** Lines of the window. What is read or let go of above does not move what is seen. */
export function LogList({ log, view, selected, onSelect, label }: LogListProps) {
  const { window: held, isFollowing, target } = view;
  const { lines } = held;
  const scroller = useRef<HTMLDivElement>(null);
  const id = useId();
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_PX,
    overscan: OVERSCAN,
    getItemKey: (index) => lines[index]?.offset ?? index,
  });

  /** The line at the top of what is seen, and how far it is scrolled out. */
  const anchor = useRef<{ readonly offset: number; readonly out: number } | null>(null);
  const reached = useRef<LogView['target']>(null);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    if (isFollowing) element.scrollTop = element.scrollHeight;
    else if (target !== null && reached.current !== target) {
      reached.current = target;
      element.scrollTop = Math.max(0, lineAt(held, target.offset) * LINE_PX - element.clientHeight / 3);
    } else if (anchor.current !== null) {
      element.scrollTop = lineAt(held, anchor.current.offset) * LINE_PX + anchor.current.out;
    }
  }, [held, isFollowing, target]);

  const onScroll = (): void => {
    const element = scroller.current;
    if (element === null) return;
    const { scrollTop, scrollHeight, clientHeight } = element;
    const index = Math.floor(scrollTop / LINE_PX);
    const top = lines[index];
    anchor.current = top === undefined ? null : { offset: top.offset, out: scrollTop - index * LINE_PX };
    const below = scrollHeight - scrollTop - clientHeight;
    if (isFollowing && below > AWAY_PX) log.stopFollowing();
    if (view.isLoading) return;
    if (scrollTop < NEAR_PX && held.start > 0 && !isFollowing) void log.older();
    else if (below < NEAR_PX && held.end < view.size && !isFollowing) void log.newer();
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0) {
      const top = anchor.current?.offset ?? held.start;
      const next =
        lines[
          selected === null || !holds(view, selected) ? lineAt(held, top) : lineAt(held, selected) + step
        ];
      if (next === undefined) return;
      event.preventDefault();
      log.stopFollowing();
      onSelect(next.offset);
      virtual.scrollToIndex(lineAt(held, next.offset), { align: 'auto' });
    } else if (event.key === 'Home') {
      event.preventDefault();
      void log.jump(0);
    } else if (event.key === 'End') {
      event.preventDefault();
      void (view.isOver ? log.jump(view.size) : log.follow());
    }
  };

  // What was read may not fill what is seen. A farm that is not reached is not asked again and again by this.
  useEffect(() => {
    if (view.lost === null) onScroll();
  });
  const at = selected !== null && holds(view, selected) ? lineAt(held, selected) : -1;
  return (
    <div
      ref={scroller}
      role="listbox"
      tabIndex={0}
      aria-label={label}
      aria-activedescendant={at >= 0 ? `${id}-${at}` : undefined}
      className="log"
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      <div role="presentation" className="log-lines" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, key, start }) => {
          const line = lines[index];
          return line === undefined ? null : (
            <div
              key={key}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === at}
              className="log-line"
              data-level={line.level}
              data-offset={line.offset}
              style={{ transform: `translateY(${start}px)` }}
              onClick={() => {
                // Whoever marks text to copy it does not mean the line.
                if (getSelection()?.isCollapsed === false) return;
                onSelect(line.offset);
              }}
            >
              <Line line={line} />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function holds({ window: { start, end, lines } }: LogView, offset: number): boolean {
  return lines.length > 0 && offset >= start && offset < end;
}

const LEVELS: Readonly<Record<LogLevel, string>> = { error: 'E', warning: 'W', note: 'i', plain: '' };

const Line = memo(function Line({ line }: { readonly line: LogLine }) {
  const { at, step, text, level } = line;
  const parts = useMemo(() => ansiParts(text), [text]);
  return (
    <>
      <span className="log-at" title={at === null ? undefined : utc(at)}>
        {at === null ? '' : localClock(at)}
      </span>
      <span className="log-step">{step}</span>
      <span className="log-level" title={level}>
        {LEVELS[level]}
      </span>
      <bdi dir="ltr" className="log-text">
        {parts.map((part, index) => (
          <span
            key={index}
            className={part.looks === '' ? undefined : part.looks}
            style={
              part.color === null && part.background === null
                ? undefined
                : { color: part.color ?? undefined, background: part.background ?? undefined }
            }
          >
            {part.text}
          </span>
        ))}
      </bdi>
    </>
  );
});
