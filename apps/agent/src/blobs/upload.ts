import type { FarmErrorCode, Sha256, UploadState } from '#libs/contracts';
import { ApiError } from '#libs/http-client';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { AttemptKey, CoordinatorLink } from '../link/coordinator-link.js';
import { persistently } from '../link/persistently.js';
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
  // A link in its place would lead somewhere else by now.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  const send = async () => await sendFile(link, key, file, { path, sha256, bytes }, chunkBytes, signal);
  try {
    await send().catch(async (error: unknown) => {
      // Where the answer to the commit was lost, there is no upload any more, but the bytes are: then nothing is sent again.
      if (!isRefusal(error, 'NOT_FOUND')) throw error;
      await send();
    });
  } catch (error) {
    if (isRefusal(error, 'DIGEST_MISMATCH')) throw new FileChanged(path);
    throw error;
  } finally {
    await file.close();
  }
}

async function sendFile(
  link: CoordinatorLink,
  key: AttemptKey,
  file: FileHandle,
  { path, sha256, bytes }: FileToUpload,
  chunkBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const repeat = async <T>(call: () => Promise<T>): Promise<T> => await persistently(call, signal);
  const start = await repeat(() => link.startUpload(key, { sha256, bytes }, signal));
  if (start.committed) return;
  const upload = idOf(start);
  // One for all: megabytes that are thrown away again and again make V8 collect its whole heap each few of them.
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, bytes - start.offset));
  for (let offset = start.offset; offset < bytes;) {
    const at = offset;
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, bytes - at), at);
    const chunk = buffer.subarray(0, bytesRead);
    if (chunk.length === 0) throw new FileChanged(path);
    offset = await repeat(() => link.sendChunk(key, upload, at, chunk, signal));
  }
  await repeat(() => link.commitUpload(key, upload, signal));
}

function isRefusal(error: unknown, code: FarmErrorCode): boolean {
  return error instanceof ApiError && error.code === code;
}

function idOf({ upload }: UploadState): NonNullable<UploadState['upload']> {
  if (upload === null) throw new TransferError('the coordinator gave no place for the upload');
  return upload;
}
