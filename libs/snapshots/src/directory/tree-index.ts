/**
 * What a workspace looked like when it was last equal to a checkpoint: by path, the inode, time of change and size of each entry. An entry that
 * still looks the same has not been touched: unlike the time of modification, which build scripts set at will, nobody can set ctime (stat(2)).
 */
export type TreeIndex = ReadonlyMap<string, string>;

/** Paths that differ, as bytes. Paths in the keys of an index are latin1, so that any bytes survive. */
export interface TreeChanges {
  /** New or touched: to be copied. A folder stands for its own attributes only. */
  readonly changed: readonly Buffer[];
  /** Gone, or no longer what they were (a file where a folder was): to be removed first. */
  readonly removed: readonly Buffer[];
}

/** @param listing what `findEntries` gave: path and description, each ended by NUL, in turns */
export function parseIndex(listing: Buffer): TreeIndex {
  const fields = listing.toString('latin1').split('\0');
  const index = new Map<string, string>();
  for (let at = 0; at + 1 < fields.length; at += 2) index.set(fields[at] ?? '', fields[at + 1] ?? '');
  return index;
}

export function compareIndexes(before: TreeIndex, now: TreeIndex): TreeChanges {
  const changed = [...now].filter(([path, entry]) => before.get(path) !== entry).map(([path]) => bytes(path));
  const removed = [...before].filter(([path, entry]) => typeOf(now.get(path)) !== typeOf(entry)).map(([path]) => bytes(path));
  return { changed, removed };
}

function typeOf(entry: string | undefined): string | undefined {
  return entry?.charAt(0);
}

function bytes(latin1: string): Buffer {
  return Buffer.from(latin1, 'latin1');
}
