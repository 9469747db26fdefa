import { formatDuration } from '#libs/watch';
import { useNow } from '../live/use-now.js';
import { localClock, localDateTime, utc } from './local-time.js';

interface MomentProps {
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Local time of day; UTC with the date on hover. */
export function ClockTime({ at }: MomentProps) {
  return (
    <time dateTime={new Date(at).toISOString()} title={utc(at)}>
      {localClock(at)}
    </time>
  );
}

/** Local date and time; UTC on hover. */
export function DateTime({ at }: MomentProps) {
  return (
    <time dateTime={new Date(at).toISOString()} title={utc(at)}>
      {localDateTime(at)}
    </time>
  );
}

/** `3m05s ago`, growing; the moment itself on hover. */
export function Ago({ at }: MomentProps) {
  const now = useNow();
  return (
    <time dateTime={new Date(at).toISOString()} title={`${localDateTime(at)} (${utc(at)})`}>
      {ageOf(now - at)} ago
    </time>
  );
}

/** Whole seconds: what is shown once a second has no tenths. */
function ageOf(ms: number): string {
  return ms < 10_000 ? `${Math.max(0, Math.floor(ms / 1000))}s` : formatDuration(ms);
}

/** From `since` to `until`, or growing until now. */
export function Elapsed({ since, until }: { readonly since: number; readonly until: number | null }) {
  return until === null ? (
    <Growing since={since} />
  ) : (
    <span className="number">{formatDuration(until - since)}</span>
  );
}

function Growing({ since }: { readonly since: number }) {
  return <span className="number">{ageOf(useNow() - since)}</span>;
}
