/** As `find` has them, by letter. */
export type EntryType = 'f' | 'd' | 'l' | 'b' | 'c' | 'p' | 's';

/** What a listing says of a file, a folder, or what else a tree has. Paths and targets are latin1: a character is a byte, so that any bytes survive. */
export interface ListedEntry {
  /** Below the top of the tree, without a slash in front. */
  readonly path: string;
  readonly type: EntryType;
  /** The twelve bits of chmod. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file; 0 of everything else. */
  readonly bytes: number;
  /** Of a file, SHA-256 (hex) of its content; of a link, where it leads; of a device, `major:minor`; empty of everything else. */
  readonly detail: string;
}

/** A package that dpkg has in the tree. */
export interface ListedPackage {
  readonly name: string;
  readonly architecture: string;
  readonly version: string;
}

/**
 * The order of a listing: a folder, then what is in it, then what comes behind it. That is the order of bytes, with the slash as the least of them (no name has a NUL).
 */
export function comparePaths(one: string, other: string): number {
  if (one === other) return 0;
  return one.replaceAll('/', '\0') < other.replaceAll('/', '\0') ? -1 : 1;
}
