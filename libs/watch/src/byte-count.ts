const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** The same with its sign: `+1.0 kB`, `-735.2 MB`, `0 B`. */
export function formatByteDifference(bytes: number): string {
  if (bytes === 0) return formatBytes(0);
  return `${bytes < 0 ? '-' : '+'}${formatBytes(Math.abs(bytes))}`;
}

/** Decimal units, as disks and the network have them: `0 B`, `999 B`, `1.0 kB`, `735.2 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.95 would show as 1000.0.
  while (value >= (unit === 0 ? 1000 : 999.95) && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? String(value) : value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}
