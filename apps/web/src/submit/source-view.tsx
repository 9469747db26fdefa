import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef } from 'react';
import { showControls } from '../session/visible-text.js';
import { cutLine, linesOf, notesByLine, type LineNote } from './line-notes.js';

const LINE_PX = 19;
const NOTE_PX = 22;
const OVERSCAN = 20;
/** More of one line nobody mends at once. */
const MOST_AT_A_LINE = 10;

interface SourceViewProps {
  readonly name: string;
  readonly text: string;
  readonly notes: readonly LineNote[];
  /** What to bring into view, and to give the focus; another object each time. */
  readonly target: { readonly line: number } | null;
}

/** A file with the numbers of its lines, and what is wrong with a line below it. Whatever is in the file stays text. */
export function SourceView({ name, text, notes, target }: SourceViewProps) {
  const lines = useMemo(() => linesOf(text), [text]);
  const byLine = useMemo(() => notesByLine(notes, name), [notes, name]);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => LINE_PX + Math.min(byLine.get(index + 1)?.length ?? 0, MOST_AT_A_LINE) * NOTE_PX,
    overscan: OVERSCAN,
  });
  useEffect(() => virtual.measure(), [virtual, byLine, lines]);
  useEffect(() => {
    if (target === null) return undefined;
    virtual.scrollToIndex(target.line - 1, { align: 'center' });
    // It comes into the document with the next frame.
    const frame = requestAnimationFrame(() => {
      scroller.current
        ?.querySelector<HTMLElement>(`[data-line="${target.line}"]`)
        ?.focus({ preventScroll: true });
    });
    return () => cancelAnimationFrame(frame);
  }, [virtual, target]);
  return (
    <div ref={scroller} className="source" role="list" aria-label={`Lines of ${name}`} tabIndex={0}>
      <div role="presentation" className="source-lines" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => (
          <div
            key={index}
            ref={virtual.measureElement}
            role="listitem"
            aria-setsize={lines.length}
            aria-posinset={index + 1}
            tabIndex={-1}
            className="source-line"
            data-index={index}
            data-line={index + 1}
            data-worst={worst(byLine.get(index + 1))}
            style={{ transform: `translateY(${start}px)` }}
          >
            <Line number={index + 1} text={lines[index] ?? ''} notes={byLine.get(index + 1) ?? []} />
          </div>
        ))}
      </div>
    </div>
  );
}

function worst(notes: readonly LineNote[] = []): LineNote['kind'] | undefined {
  return notes.find(({ kind }) => kind === 'error')?.kind ?? notes[0]?.kind;
}

interface LineProps {
  readonly number: number;
  readonly text: string;
  readonly notes: readonly LineNote[];
}

function Line({ number, text, notes }: LineProps) {
  const { before, text: shown, after } = cutLine(text, notes[0]?.column ?? null);
  return (
    <>
      <span className="source-text">
        <span className="source-number">{number}</span>
        {before > 0 && <span className="cut">({before} characters) …</span>}
        <bdi dir="ltr">{showControls(shown)}</bdi>
        {after > 0 && <span className="cut">… ({after} characters)</span>}
      </span>
      {notes.slice(0, MOST_AT_A_LINE).map((note, index) => (
        <span key={index} className="source-note" data-kind={note.kind}>
          <NoteWords note={note} />
        </span>
      ))}
      {notes.length > MOST_AT_A_LINE && (
        <span className="source-note">… and {notes.length - MOST_AT_A_LINE} more at this line</span>
      )}
    </>
  );
}

const KINDS: Readonly<Record<LineNote['kind'], { readonly glyph: string; readonly word: string }>> = {
  error: { glyph: '✕', word: 'Error' },
  warning: { glyph: '!', word: 'Warning' },
};

/** `✕ Error: …`, the words of others made harmless. */
export function NoteWords({ note: { kind, text } }: { readonly note: LineNote }) {
  const { glyph, word } = KINDS[kind];
  return (
    <>
      <span className="glyph" aria-hidden="true">
        {glyph}
      </span>{' '}
      <b>{word}:</b> <bdi dir="ltr">{showControls(text)}</bdi>
    </>
  );
}
