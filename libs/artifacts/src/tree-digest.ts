import { createHash, type Hash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';

const READ_BYTES = 256 * 1024;
/** Entries of a folder that are read ahead of the one that is hashed: a tree of small files takes half the time. */
const AHEAD = 16;

/**
 * SHA-256 (hex) of a file or folder by content: names, types, modes, owners, link targets, device numbers and bytes, in byte order of the names. Times do
 * not enter, nor do sockets: they are of no use without the process that listened. Equal digests mean that a step reading the tree cannot tell
 * the two apart, but for times and extended attributes.
 */
export async function treeDigest(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await addEntry(hash, await readEntry(Buffer.from(path), Buffer.from('.')), signal);
  return hash.digest('hex');
}

/** Names are bytes to the kernel, not text: as buffers they survive whatever their encoding. */
interface Entry {
  readonly path: Buffer;
  readonly name: Buffer;
  readonly stats: Stats;
  /** Of a small file or a link; `null` for the others. */
  readonly content: Buffer | null;
}

async function readEntry(path: Buffer, name: Buffer): Promise<Entry> {
  const stats = await lstat(path);
  return { path, name, stats, content: await smallContent(path, stats) };
}

async function smallContent(path: Buffer, stats: Stats): Promise<Buffer | null> {
  if (stats.isSymbolicLink()) return await readlink(path, { encoding: 'buffer' });
  if (!stats.isFile() || stats.size > READ_BYTES) return null;
  if (stats.size === 0) return Buffer.alloc(0);
  const file = await open(path);
  try {
    const buffer = Buffer.allocUnsafe(stats.size);
    const { bytesRead } = await file.read(buffer);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function addEntry(hash: Hash, entry: Entry, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { path, name, stats, content } = entry;
  if (stats.isSocket()) return;
  const device = stats.isBlockDevice() || stats.isCharacterDevice() ? stats.rdev : 0;
  const size = stats.isFile() ? stats.size : 0;
  hash.update(JSON.stringify([name.toString('hex'), stats.mode, stats.uid, stats.gid, device, size]));
  if (content !== null) hash.update(content);
  else if (stats.isFile()) await addContent(hash, path, signal);
  else if (stats.isDirectory()) await addChildren(hash, path, name, signal);
}

async function addChildren(
  hash: Hash,
  path: Buffer,
  name: Buffer,
  signal: AbortSignal | undefined,
): Promise<void> {
  const names = (await readdir(path, { encoding: 'buffer' })).toSorted((a, b) => a.compare(b));
  const ahead: Promise<Entry>[] = [];
  for (let next = 0; next < names.length || ahead.length > 0;) {
    for (; next < names.length && ahead.length < AHEAD; next++) {
      const child = names[next] ?? Buffer.alloc(0);
      const entry = readEntry(within(path, child), within(name, child));
      // Its failure counts when its turn comes.
      entry.catch(() => undefined);
      ahead.push(entry);
    }
    const entry = await ahead.shift();
    if (entry !== undefined) await addEntry(hash, entry, signal);
  }
}

async function addContent(hash: Hash, path: Buffer, signal: AbortSignal | undefined): Promise<void> {
  const file = await open(path);
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer);
      if (bytesRead === 0) return;
      hash.update(buffer.subarray(0, bytesRead));
      signal?.throwIfAborted();
    }
  } finally {
    await file.close();
  }
}

function within(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from('/'), name]);
}
