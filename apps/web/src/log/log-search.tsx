import { useId, useState } from 'react';
import { formatBytes } from '#libs/watch';
import type { AttemptLog, LogView } from './attempt-log.js';
import type { LogLevel, LogLine } from './log-lines.js';

type Level = 'any' | 'warning' | 'error' | 'note';

const LEVELS: readonly { readonly level: Level; readonly words: string }[] = [
  { level: 'any', words: 'any line' },
  { level: 'warning', words: 'warnings and errors' },
  { level: 'error', words: 'errors' },
  { level: 'note', words: "the agent's own" },
];

const MEANT: Readonly<Record<Level, readonly LogLevel[]>> = {
  any: ['plain', 'note', 'warning', 'error'],
  warning: ['warning', 'error'],
  error: ['error'],
  note: ['note'],
};

interface LogSearchProps {
  readonly log: AttemptLog;
  readonly view: LogView;
  /** Where to begin; `null`: at the beginning. */
  readonly from: number | null;
  readonly onFound: (line: LogLine) => void;
}

/** Goes to the next line with these words, of this level, in the whole log: also in what is not in memory. */
export function LogSearch({ log, view, from, onFound }: LogSearchProps) {
  const [text, setText] = useState('');
  const [level, setLevel] = useState<Level>('any');
  const [outcome, setOutcome] = useState('');
  const ids = { text: useId(), level: useId() };
  const isSearching = view.searchedTo !== null;

  const search = async (isBackwards: boolean): Promise<void> => {
    setOutcome('');
    const wanted = text.toLowerCase();
    const found = await log.search(
      (line) =>
        MEANT[level].includes(line.level) && (wanted === '' || line.text.toLowerCase().includes(wanted)),
      from ?? (isBackwards ? view.size : -1),
      isBackwards,
    );
    if (found === null) setOutcome(isBackwards ? 'Nothing above.' : 'Nothing below.');
    else onFound(found);
  };

  return (
    <form
      role="search"
      aria-label="Search the log"
      className="log-search"
      onSubmit={(event) => {
        event.preventDefault();
        void search(false);
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') log.endSearch();
      }}
    >
      <label htmlFor={ids.text} className="hidden">
        Words
      </label>
      <input
        id={ids.text}
        type="search"
        placeholder="Search"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <label htmlFor={ids.level} className="hidden">
        Level
      </label>
      <select id={ids.level} value={level} onChange={(event) => setLevel(event.target.value as Level)}>
        {LEVELS.map(({ level: each, words }) => (
          <option key={each} value={each}>
            {words}
          </option>
        ))}
      </select>
      {isSearching ? (
        <button type="button" onClick={() => log.endSearch()}>
          Stop
        </button>
      ) : (
        <>
          <button type="button" aria-label="Previous" onClick={() => void search(true)}>
            ↑
          </button>
          <button type="submit" aria-label="Next">
            ↓
          </button>
        </>
      )}
      <span role="status" className="more number">
        {view.searchedTo === null
          ? outcome
          : `Searching: ${formatBytes(view.searchedTo)} of ${formatBytes(view.size)}`}
      </span>
    </form>
  );
}
