import type { ListedEntry } from './listed-entry.js';

/** A file as it is told of in a listing. */
export function file(path: string, change: Partial<ListedEntry> = {}): ListedEntry {
  const base = { type: 'f', mode: 0o644, uid: 0, gid: 0, bytes: 1, detail: 'a'.repeat(64) } as const;
  return { path, ...base, ...change };
}
