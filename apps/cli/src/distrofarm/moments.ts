import { formatDuration, parseDuration } from '#libs/watch';

/** Local time of day: `14:03:09`. */
export function clockTime(at: number): string {
  const time = new Date(at);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':');
}

/** Local date and time: `2026-11-24 14:03:09`. */
export function dateTime(at: number | null): string {
  if (at === null) return '-';
  const time = new Date(at);
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clockTime(at)}`;
}

/** `3m05s ago`; `-` for what never was. */
export function ago(at: number | null, now: number): string {
  return at === null ? '-' : `${formatDuration(now - at)} ago`;
}

/** `10m` (that long before `now`) or a date as ISO 8601 has it, as milliseconds; `null` for anything else. */
export function parseMoment(text: string, now: number): number | null {
  const before = parseDuration(text);
  if (before !== null) return now - before;
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? null : at;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
