import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';

/**
 * SHA-256 (hex) of a file or folder by content: names, types, modes, owners, link targets, device numbers and bytes, in byte order of the names. Times do
 * not enter. Equal digests mean that a step reading the tree cannot tell the two apart, but for times.
 */
export async function treeDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  await addEntry(hash, Buffer.from(path), Buffer.from('.'));
  return hash.digest('hex');
}

/** Names are bytes to the kernel, not text: as buffers they survive whatever their encoding. */
async function addEntry(hash: Hash, path: Buffer, name: Buffer): Promise<void> {
  const stats = await lstat(path);
  const device = stats.isBlockDevice() || stats.isCharacterDevice() ? stats.rdev : 0;
  const size = stats.isFile() ? stats.size : 0;
  hash.update(JSON.stringify([name.toString('hex'), stats.mode, stats.uid, stats.gid, device, size]));
  if (stats.isSymbolicLink()) hash.update(await readlink(path, { encoding: 'buffer' }));
  if (stats.isFile()) for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  if (!stats.isDirectory()) return;
  const children = await readdir(path, { encoding: 'buffer' });
  for (const child of children.toSorted((a, b) => a.compare(b))) {
    await addEntry(hash, within(path, child), within(name, child));
  }
}

function within(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from('/'), name]);
}
