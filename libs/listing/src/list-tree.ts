import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import type { EntryType, ListedEntry } from './listed-entry.js';

const READ_BYTES = 256 * 1024;
/** Entries of a folder that are read ahead of the one that is told: a tree of small files takes half the time. */
const AHEAD = 16;
/** Without waiting for somebody to open the other end, should it be a fifo by now. */
const READ_NO_LINK = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface KeptFile {
  /** As in the listing. */
  readonly path: string;
  readonly mostBytes: number;
  /** Told its content, where it is a file and no longer than that. */
  readonly keep: (content: Buffer) => void;
}

/**
 * All that is below a folder that nobody changes meanwhile, in the order of listings. No link is followed, whatever it leads to; what is read is opened as the file that it was seen to be.
 * Throws the system's errors, and the signal's reason.
 */
export async function* listTree(
  root: string,
  kept: KeptFile | null = null,
  signal?: AbortSignal,
): AsyncGenerator<ListedEntry, void> {
  yield* children(Buffer.from(root), '', kept, signal);
}

async function* children(
  folder: Buffer,
  above: string,
  kept: KeptFile | null,
  signal: AbortSignal | undefined,
): AsyncGenerator<ListedEntry, void> {
  const names = (await readdir(folder, { encoding: 'buffer' })).toSorted((one, other) => one.compare(other));
  const ahead: Promise<Seen>[] = [];
  for (let next = 0; next < names.length || ahead.length > 0;) {
    for (; next < names.length && ahead.length < AHEAD; next++) {
      const name = names[next] ?? Buffer.alloc(0);
      const path = above === '' ? name.toString('latin1') : `${above}/${name.toString('latin1')}`;
      const seen = see(Buffer.concat([folder, SLASH, name]), path, kept, signal);
      // Its failure counts when its turn comes.
      seen.catch(() => undefined);
      ahead.push(seen);
    }
    const seen = await ahead.shift();
    signal?.throwIfAborted();
    if (seen === undefined) continue;
    yield seen.entry;
    if (seen.entry.type === 'd') yield* children(seen.place, seen.entry.path, kept, signal);
  }
}

const SLASH = Buffer.from('/');

interface Seen {
  readonly place: Buffer;
  readonly entry: ListedEntry;
}

async function see(
  place: Buffer,
  path: string,
  kept: KeptFile | null,
  signal: AbortSignal | undefined,
): Promise<Seen> {
  const stats = await lstat(place);
  const type = typeOf(stats);
  const common = { path, type, mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid, bytes: 0 };
  switch (type) {
    case 'f': {
      const keeps = kept?.path === path && stats.size <= kept.mostBytes ? kept : null;
      return { place, entry: { ...common, ...(await digestOf(place, keeps, signal)) } };
    }
    case 'l': {
      const target = (await readlink(place, { encoding: 'buffer' })).toString('latin1');
      return { place, entry: { ...common, detail: target } };
    }
    case 'b':
    case 'c':
      return { place, entry: { ...common, detail: deviceOf(stats.rdev) } };
    case 'd':
    case 'p':
    case 's':
      return { place, entry: { ...common, detail: '' } };
  }
}

async function digestOf(
  place: Buffer,
  kept: KeptFile | null,
  signal: AbortSignal | undefined,
): Promise<Pick<ListedEntry, 'bytes' | 'detail'>> {
  const file = await open(place, READ_NO_LINK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error(`${place.toString('latin1')} is no file any more`);
    const hash = createHash('sha256');
    const content: Buffer[] = [];
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(1, stats.size + 1)));
    let bytes = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, buffer.length, bytes);
      if (bytesRead === 0) break;
      bytes += bytesRead;
      hash.update(buffer.subarray(0, bytesRead));
      if (kept !== null) content.push(Buffer.from(buffer.subarray(0, bytesRead)));
      // Most files are small, and end here without being asked once more.
      if (bytes >= stats.size) break;
    }
    if (kept !== null && bytes <= kept.mostBytes) kept.keep(Buffer.concat(content));
    return { bytes, detail: hash.digest('hex') };
  } finally {
    await file.close();
  }
}

function typeOf(stats: Stats): EntryType {
  if (stats.isFile()) return 'f';
  if (stats.isDirectory()) return 'd';
  if (stats.isSymbolicLink()) return 'l';
  if (stats.isBlockDevice()) return 'b';
  if (stats.isCharacterDevice()) return 'c';
  return stats.isFIFO() ? 'p' : 's';
}

/** As Linux packs the two numbers (makedev(3)). */
function deviceOf(rdev: number): string {
  const bits = BigInt(rdev);
  const major = ((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn);
  const minor = (bits & 0xffn) | ((bits >> 12n) & ~0xffn);
  return `${major}:${minor & 0xffffffffn}`;
}
