/**
 * What a workspace looked like when it was last equal to a checkpoint: by path, the type, inode, time of change and size of each entry. An
 * entry that still looks the same has not been touched: unlike the time of modification, which build scripts set at will, nobody can set ctime
 * (stat(2)). Paths are latin1, so that any bytes survive.
 */
export type TreeIndex = ReadonlyMap<string, string>;

/** Paths, as bytes. */
export interface TreeChanges {
  /** What has to be copied again: files that are new or touched, and all folders, which stand for their own attributes only. */
  readonly copied: readonly Buffer[];
  /** Gone, or no longer what they were (a file where a folder was): to be removed first. */
  readonly removed: readonly Buffer[];
  /** Of the files, how many have to be copied. */
  readonly changedFiles: number;
  readonly unchangedFiles: number;
}

/** @param listing what `findEntries` gave: path and description, each ended by NUL, in turns */
export function parseIndex(listing: Buffer): TreeIndex {
  const fields = listing.toString('latin1').split('\0');
  const index = new Map<string, string>();
  for (let at = 0; at + 1 < fields.length; at += 2) index.set(fields[at] ?? '', fields[at + 1] ?? '');
  return index;
}

/**
 * The index as it may be relied on later. What changed just before it was made can change again without looking different, as the kernel's
 * clock for files stands still for a few milliseconds at a time (on some file systems for seconds): such entries are marked, and equal nothing.
 * Git calls this "racy" (its Documentation/technical/racy-git.txt).
 *
 * @param listedAtMs when the listing was begun
 */
export function settled(index: TreeIndex, listedAtMs: number): Buffer {
  const fields = [...index].flatMap(([path, entry]) => [
    path,
    isSettled(entry, listedAtMs) ? entry : `${entry} unsettled`,
  ]);
  return Buffer.from(fields.map((field) => `${field}\0`).join(''), 'latin1');
}

export function compareIndexes(before: TreeIndex, now: TreeIndex): TreeChanges {
  const entries = [...now];
  const isFolder = (entry: string): boolean => typeOf(entry) === 'd';
  const touched = entries.filter(([path, entry]) => !isFolder(entry) && before.get(path) !== entry);
  // All names of a file go together: one name copied and another one shared with the checkpoint would be two files. A file that was not
  // touched gets a new name when a folder above it is moved.
  const inodes = new Set(touched.map(([, entry]) => inodeOf(entry)));
  const copied = entries.filter(([, entry]) => isFolder(entry) || inodes.has(inodeOf(entry)));
  const folders = copied.filter(([, entry]) => isFolder(entry)).length;
  return {
    copied: copied.map(([path]) => pathBytes(path)),
    removed: [...before]
      .filter(([path, entry]) => typeOf(now.get(path)) !== typeOf(entry))
      .map(([path]) => pathBytes(path)),
    changedFiles: copied.length - folders,
    unchangedFiles: entries.length - copied.length,
  };
}

const TICK_MS = 50;
const WHOLE_SECOND_MS = 2000;

function isSettled(entry: string, listedAtMs: number): boolean {
  const changed = entry.split(' ')[2] ?? '';
  const isWholeSecond = /^\d+(\.0+)?$/.test(changed);
  return Number(changed) * 1000 < listedAtMs - (isWholeSecond ? WHOLE_SECOND_MS : TICK_MS);
}

/** A letter, as `find` has it: `f`, `d`, `l` and so on; `undefined` when there is no entry. */
export function typeOf(entry: string | undefined): string | undefined {
  return entry?.charAt(0);
}

/** Bytes of a file; 0 of everything else. */
export function sizeOf(entry: string): number {
  return typeOf(entry) === 'f' ? Number(entry.split(' ')[3] ?? 0) : 0;
}

function inodeOf(entry: string): string {
  return entry.split(' ')[1] ?? '';
}

export function pathBytes(latin1: string): Buffer {
  return Buffer.from(latin1, 'latin1');
}
