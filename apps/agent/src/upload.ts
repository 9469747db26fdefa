import type { Sha256, UploadState } from '#libs/contracts';
import { ApiError } from '#libs/http-client';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { AttemptKey, CoordinatorLink } from './coordinator-link.js';
import { persistently } from './persistently.js';
import { TransferError } from './transfer-error.js';

export interface FileToUpload {
  readonly path: string;
  readonly sha256: Sha256;
  readonly bytes: number;
}

/** The file is not what its digest says any more. */
export class FileChanged extends Error {
  override readonly name = 'FileChanged';
  constructor(path: string) {
    super(`${path} changed while it was uploaded`);
  }
}

/**
 * Brings a file to the coordinator's artifact store, going on where an earlier upload of the same bytes by this attempt stopped; nothing is sent of what is there
 * already. Throws FileChanged, ApiError for a refusal, and the signal's reason.
 */
export async function uploadFile(
  link: CoordinatorLink,
  key: AttemptKey,
  { path, sha256, bytes }: FileToUpload,
  chunkBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const repeat = async <T>(call: () => Promise<T>): Promise<T> => await persistently(call, signal);
  // A link in its place would lead somewhere else by now.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const start = await repeat(() => link.startUpload(key, { sha256, bytes }, signal));
    if (start.committed) return;
    const upload = idOf(start);
    for (let offset = start.offset; offset < bytes;) {
      const at = offset;
      const chunk = await readChunk(file, at, Math.min(chunkBytes, bytes - at));
      if (chunk.length === 0) throw new FileChanged(path);
      offset = await repeat(() => link.sendChunk(key, upload, at, chunk, signal));
    }
    await repeat(() => link.commitUpload(key, upload, signal));
  } catch (error) {
    if (error instanceof ApiError && error.code === 'DIGEST_MISMATCH') throw new FileChanged(path);
    throw error;
  } finally {
    await file.close();
  }
}

function idOf({ upload }: UploadState): NonNullable<UploadState['upload']> {
  if (upload === null) throw new TransferError('the coordinator gave no place for the upload');
  return upload;
}

async function readChunk(file: FileHandle, offset: number, bytes: number): Promise<Uint8Array> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(bytes), 0, bytes, offset);
  return buffer.subarray(0, bytesRead);
}
