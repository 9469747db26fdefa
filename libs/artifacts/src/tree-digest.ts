import { createHash, type Hash } from 'node:crypto';
import { lstat, open, readdir, readlink } from 'node:fs/promises';

const READ_BYTES = 256 * 1024;

/**
 * SHA-256 (hex) of a file or folder by content: names, types, modes, owners, link targets, device numbers and bytes, in byte order of the names. Times do
 * not enter, nor do sockets: they are of no use without the process that listened. Equal digests mean that a step reading the tree cannot tell
 * the two apart, but for times and extended attributes.
 */
export async function treeDigest(path: string, signal?: AbortSignal): Promise<string> {
  const walk = { hash: createHash('sha256'), buffer: Buffer.alloc(READ_BYTES), signal };
  await addEntry(walk, Buffer.from(path), Buffer.from('.'));
  return walk.hash.digest('hex');
}

interface Walk {
  readonly hash: Hash;
  readonly buffer: Buffer;
  readonly signal: AbortSignal | undefined;
}

/** Names are bytes to the kernel, not text: as buffers they survive whatever their encoding. */
async function addEntry(walk: Walk, path: Buffer, name: Buffer): Promise<void> {
  walk.signal?.throwIfAborted();
  const stats = await lstat(path);
  if (stats.isSocket()) return;
  const device = stats.isBlockDevice() || stats.isCharacterDevice() ? stats.rdev : 0;
  const size = stats.isFile() ? stats.size : 0;
  walk.hash.update(JSON.stringify([name.toString('hex'), stats.mode, stats.uid, stats.gid, device, size]));
  if (stats.isSymbolicLink()) walk.hash.update(await readlink(path, { encoding: 'buffer' }));
  if (stats.isFile() && size > 0) await addContent(walk, path);
  if (!stats.isDirectory()) return;
  const children = await readdir(path, { encoding: 'buffer' });
  for (const child of children.toSorted((a, b) => a.compare(b))) {
    await addEntry(walk, within(path, child), within(name, child));
  }
}

async function addContent({ hash, buffer, signal }: Walk, path: Buffer): Promise<void> {
  const file = await open(path);
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
