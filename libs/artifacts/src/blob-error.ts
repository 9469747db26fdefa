/** Why a store of bytes refused. Callers branch on these. */
export type BlobErrorCode =
  /** No such blob, or no such upload and no blob of its digest. */
  | 'NOT_FOUND'
  /** Bytes would leave a gap, or some are missing at the end; `offset` says where to go on. */
  | 'WRONG_OFFSET'
  /** What was uploaded is something else than was announced; it is removed. */
  | 'DIGEST_MISMATCH'
  /** A range that begins behind the end. */
  | 'BAD_RANGE'
  /** Not a digest, not an upload's or attempt's id: never touched a path. */
  | 'BAD_NAME'
  /** The folder or bucket is not usable as it is; a person must look. */
  | 'UNUSABLE';

export class BlobError extends Error {
  override readonly name = 'BlobError';
  constructor(
    readonly code: BlobErrorCode,
    message: string,
    /** With WRONG_OFFSET: how many bytes are there. */
    readonly offset: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** For WRONG_OFFSET. */
export function wrongOffset(of: string, present: number): BlobError {
  return new BlobError('WRONG_OFFSET', `${of} has ${present} bytes; go on there`, present);
}
