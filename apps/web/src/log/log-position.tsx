import { useEffect, useRef, useState } from 'react';
import { formatBytes } from '#libs/watch';
import type { AttemptLog, LogView } from './attempt-log.js';

const REST_MS = 150;

interface LogPositionProps {
  readonly log: AttemptLog;
  readonly view: LogView;
}

/** Where in the whole log one is, as a slider that leads anywhere in it. */
export function LogPosition({ log, view }: LogPositionProps) {
  const { window: held, size } = view;
  const [wanted, setWanted] = useState<number | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const at = wanted ?? (held.end >= size ? size : held.start === 0 ? 0 : (held.start + held.end) / 2);
  if (held.start === 0 && held.end >= size) return <span className="more number">{formatBytes(size)}</span>;
  return (
    <span className="log-position">
      <input
        type="range"
        min={0}
        max={size}
        step={1}
        value={Math.round(at)}
        aria-label="Position in the log"
        aria-valuetext={`${formatBytes(at)} of ${formatBytes(size)}`}
        onChange={(event) => {
          const next = Number(event.target.value);
          setWanted(next);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => void log.jump(next).finally(() => setWanted(null)), REST_MS);
        }}
      />
      <span className="more number">{formatBytes(size)}</span>
    </span>
  );
}
