const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Bytes as a person says them: decimal units, two digits where they matter. `3.2 GB`, `48 MB`, `0 bytes`. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would be rounded to 1000 of the smaller unit.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`;
}

/** `about 4 s`, `about 5 min`, `about 3 h`: one number, as an estimate deserves. */
export function roughDuration(ms: number): string {
  if (ms < 99_500) return `about ${Math.max(1, Math.round(ms / 1000))} s`;
  return ms < 99.5 * 60_000
    ? `about ${Math.round(ms / 60_000)} min`
    : `about ${Math.round(ms / 3_600_000)} h`;
}

/** `1 job`, `12 jobs`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}
