import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { lstat, open, type FileHandle } from 'node:fs/promises';

const READ_BYTES = 1024 * 1024;
/** Without waiting for somebody to open the other end, should it be a fifo. */
const READ_NO_LINK = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface HashedFile {
  /** Hex. */
  readonly sha256: string;
  readonly bytes: number;
}

/** SHA-256 and length of a regular file, read once from beginning to end. Throws NotAFileError for all else, links included; ENOENT as it comes. */
export async function hashFile(path: string, signal?: AbortSignal): Promise<HashedFile> {
  const file = await openRegular(path);
  try {
    return await hashRest(file, createHash('sha256'), 0, signal);
  } finally {
    await file.close();
  }
}

/** Goes on with `hash` from `offset` to the end of the file. */
export async function hashRest(
  file: FileHandle,
  hash: ReturnType<typeof createHash>,
  offset: number,
  signal?: AbortSignal,
): Promise<HashedFile> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  let bytes = offset;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, buffer.length, bytes);
    if (bytesRead === 0) return { sha256: hash.digest('hex'), bytes };
    hash.update(buffer.subarray(0, bytesRead));
    bytes += bytesRead;
  }
}

/** Opens a regular file to read, and nothing else. The caller closes it. */
export async function openRegular(path: string): Promise<FileHandle> {
  requireRegular(path, await lstat(path));
  const file = await open(path, READ_NO_LINK);
  try {
    requireRegular(path, await file.stat());
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What changes when a file is written, replaced or touched. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** Of the regular file at `path`; taken before and after an upload, it tells whether what was sent is what is there. Throws NotAFileError. */
export async function fileIdentity(path: string): Promise<FileIdentity> {
  const stats = await lstat(path, { bigint: true });
  if (!stats.isFile()) throw new NotAFileError(path);
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return { dev, ino, size, mtimeNs, ctimeNs };
}

export function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return (
    one.dev === other.dev &&
    one.ino === other.ino &&
    one.size === other.size &&
    one.mtimeNs === other.mtimeNs &&
    one.ctimeNs === other.ctimeNs
  );
}

/** A link, a folder, a device: never published. */
export class NotAFileError extends Error {
  override readonly name = 'NotAFileError';
  readonly code = 'NOT_A_FILE';
  constructor(readonly path: string) {
    super(`${path} is not a regular file`);
  }
}

function requireRegular(path: string, stats: Stats): void {
  if (!stats.isFile()) throw new NotAFileError(path);
}
