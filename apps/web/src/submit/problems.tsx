import { useRef, useState } from 'react';
import { showUnseen } from '../session/visible-text.js';
import type { Gathered, MissingFile } from './gather.js';
import type { LineNote } from './line-notes.js';
import { NoteWords, SourceView } from './source-view.js';

/** More than this nobody works through from a list. */
const MOST_LISTED = 100;

interface ProblemsProps {
  readonly gathered: Gathered;
  readonly notes: readonly LineNote[];
}

/** The manifest and what it includes, with every problem at its line, and a list from which one gets there. */
export function Problems({ gathered: { address, texts, missing }, notes }: ProblemsProps) {
  const files = [...texts.keys()];
  const [target, setTarget] = useState<{ readonly file: string; readonly line: number } | null>(null);
  const [picked, setPicked] = useState(address);
  const shown = texts.has(picked) ? picked : address;
  const fold = useRef<HTMLDetailsElement>(null);
  const jump = ({ file, line }: LineNote): void => {
    if (fold.current !== null) fold.current.open = true;
    setPicked(file);
    setTarget({ file, line: line ?? 1 });
  };
  return (
    <section aria-label="Manifest">
      <Missing missing={missing} />
      <NoteList notes={notes} onJump={jump} canJump={({ file }) => texts.has(file)} />
      {/* What is in order is out of the way, until somebody wants to see it. */}
      <details ref={fold} key={String(notes.length > 0)} open={notes.length > 0} className="files">
        <summary>The manifest as it was dropped</summary>
        {files.length > 1 && (
          <div className="tabs" role="group" aria-label="Files of the manifest">
            {files.map((file) => (
              <button
                key={file}
                type="button"
                className="quiet"
                aria-pressed={file === shown}
                onClick={() => {
                  setPicked(file);
                  setTarget(null);
                }}
              >
                {showUnseen(file)}
                <Count notes={notes} file={file} />
              </button>
            ))}
          </div>
        )}
        {texts.has(shown) && (
          <SourceView
            key={shown}
            name={shown}
            text={texts.get(shown) ?? ''}
            notes={notes}
            target={target?.file === shown ? target : null}
          />
        )}
      </details>
    </section>
  );
}

function Count({ notes, file }: { readonly notes: readonly LineNote[]; readonly file: string }) {
  const count = notes.filter((note) => note.file === file && note.kind === 'error').length;
  return count === 0 ? null : <span className="count"> ✕ {count}</span>;
}

function Missing({ missing }: { readonly missing: readonly MissingFile[] }) {
  if (missing.length === 0) return null;
  return (
    <div className="notice" role="status">
      <p>
        <strong>Drop these too</strong>, or the folder that has them:
      </p>
      <ul>
        {missing.slice(0, MOST_LISTED).map(({ named, reason }) => (
          <li key={named}>
            <code>{showUnseen(named)}</code>
            {reason !== 'was not dropped' && <span className="more"> {showUnseen(reason)}</span>}
          </li>
        ))}
      </ul>
      {missing.length > MOST_LISTED && <p>… and {missing.length - MOST_LISTED} more</p>}
    </div>
  );
}

interface NoteListProps {
  readonly notes: readonly LineNote[];
  readonly onJump: (note: LineNote) => void;
  readonly canJump: (note: LineNote) => boolean;
}

function NoteList({ notes, onJump, canJump }: NoteListProps) {
  const errors = notes.filter(({ kind }) => kind === 'error');
  if (notes.length === 0) return <p className="none">No problem was found in it.</p>;
  const heading =
    errors.length === 0 ? 'No problem' : errors.length === 1 ? 'One problem' : `${errors.length} problems`;
  const warnings = notes.length - errors.length;
  const listed = [...errors, ...notes.filter(({ kind }) => kind === 'warning')];
  return (
    <>
      <div role="status">
        <h2>
          {heading}
          {warnings > 0 && (
            <span className="count"> {warnings === 1 ? 'one warning' : `${warnings} warnings`}</span>
          )}
        </h2>
      </div>
      <ol className="problem-list" aria-label="Problems">
        {listed.slice(0, MOST_LISTED).map((note, index) => (
          <li key={index} data-kind={note.kind}>
            {canJump(note) && (
              <button type="button" className="quiet" onClick={() => onJump(note)}>
                {showUnseen(note.file)}:{note.line ?? 1}
                {note.column === null ? '' : `:${note.column}`}
              </button>
            )}{' '}
            <NoteWords note={note} />
          </li>
        ))}
      </ol>
      {listed.length > MOST_LISTED && <p>… and {listed.length - MOST_LISTED} more</p>}
    </>
  );
}
