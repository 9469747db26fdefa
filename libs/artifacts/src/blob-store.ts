import { AttemptId, Sha256, UploadId } from '#libs/contracts';
import type { Readable } from 'node:stream';
import { BlobError } from './blob-error.js';

/** Bytes of a blob: both ends count, as in HTTP. An `end` behind the blob's is its end. */
export interface ByteRange {
  readonly start?: number;
  readonly end?: number;
}

export interface StoredBlob {
  readonly sha256: Sha256;
  readonly bytes: number;
}

export interface PendingUpload {
  readonly upload: UploadId;
  readonly bytes: number;
}

/**
 * Port: keeps bytes by their SHA-256, for artifacts, packed trees and the files of submissions. A blob appears whole, verified and durable, or not at all,
 * and never changes. Several processes may use one store. Every method throws BlobError BAD_NAME for what is no digest or upload id.
 */
export abstract class BlobStore {
  /** For people: where it is. Holds no secrets. */
  abstract readonly description: string;

  async has(sha256: string): Promise<boolean> {
    return (await this.size(sha256)) !== null;
  }

  /** Length in bytes; `null` when there is no such blob. */
  abstract size(sha256: string): Promise<number | null>;

  /** The caller reads the stream to its end or destroys it. Removing the blob meanwhile may end it with an error. Throws NOT_FOUND, BAD_RANGE. */
  abstract open(sha256: string, range?: ByteRange): Promise<Readable>;

  /** A blob that is not there is no error. */
  abstract remove(sha256: string): Promise<void>;

  /** In no order. Blobs that come or go meanwhile may be in it or not. */
  abstract list(): AsyncIterable<StoredBlob>;

  /** How many bytes of an upload are kept, and where to go on therefore; 0 for a new one. */
  abstract resume(upload: string): Promise<number>;

  /**
   * Adds bytes at `offset`, which must be what `resume` says. Resolves to the new length. When `bytes` breaks off, rejects with its error; `resume` says how
   * much was kept. An append of the same upload that still waits for bytes in this process is ended: its connection is taken for dead.
   * Throws WRONG_OFFSET.
   */
  abstract append(upload: string, offset: number, bytes: Readable | Uint8Array): Promise<number>;

  /**
   * Makes an upload a blob, when it is what it should be; the upload is gone then. Durable when it resolves. May be repeated, and a second upload of the same
   * digest succeeds as well. Throws DIGEST_MISMATCH (also when it is too long; the upload is removed), WRONG_OFFSET (bytes are missing), NOT_FOUND.
   */
  abstract commit(
    upload: string,
    expected: { readonly sha256: string; readonly bytes: number },
  ): Promise<void>;

  /** Drops an upload; one that is not there is no error. */
  abstract abandon(upload: string): Promise<void>;

  /** Uploads that were neither committed nor abandoned, in no order. */
  abstract listUploads(): AsyncIterable<PendingUpload>;

  /** Keeps bytes that fit into memory. Resolves to their digest; durable then. */
  abstract put(bytes: Uint8Array): Promise<Sha256>;

  /** Lets go of what is open; nothing may be called after it. */
  async close(): Promise<void> {}
}

export function parseSha256(text: string): Sha256 {
  const { data } = Sha256.safeParse(text);
  return data ?? refuseName(text, 'a SHA-256');
}

export function parseUploadId(text: string): UploadId {
  const { data } = UploadId.safeParse(text);
  return data ?? refuseName(text, 'the id of an upload');
}

export function parseAttemptId(text: string): AttemptId {
  const { data } = AttemptId.safeParse(text);
  return data ?? refuseName(text, 'the id of an attempt');
}

function refuseName(text: string, wanted: string): never {
  throw new BlobError('BAD_NAME', `${JSON.stringify(text.slice(0, 100))} is not ${wanted}`);
}

/** The bytes that a range means. Throws BAD_RANGE. */
export function resolveRange(
  { start = 0, end }: ByteRange,
  size: number,
): { readonly start: number; readonly end: number } {
  const isWhole = start === 0 && size === 0;
  if (!Number.isSafeInteger(start) || start < 0 || (start >= size && !isWhole) || (end ?? start) < start)
    throw new BlobError('BAD_RANGE', `bytes ${start} to ${end ?? 'the end'} are not in a blob of ${size}`);
  return { start, end: Math.min(end ?? size - 1, size - 1) };
}
