import { SnapshotStoreError, type SnapshotStoreErrorCode } from '#libs/engine';
import { constants } from 'node:os';

export function isCode(error: unknown, code: SnapshotStoreErrorCode): error is SnapshotStoreError {
  return error instanceof SnapshotStoreError && error.code === code;
}

export function busy(path: string, users: readonly string[], cause?: unknown): SnapshotStoreError {
  const unseen = 'something that cannot be seen from here, such as a mount in another namespace';
  const who = users.length === 0 ? unseen : users.join(', ');
  return new SnapshotStoreError(
    'BUSY',
    `${path} is in use by ${who}`,
    'End it, or leave the folder, then try again.',
    { cause },
  );
}

/** Runs work on files, and says in the store's words what the system refused. Mistakes in the program stay what they are. */
export async function inStoreWords<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SnapshotStoreError || !isSystemError(error)) throw error;
    throw new SnapshotStoreError(isFull(error) ? 'NO_SPACE' : 'FAILED', error.message, null, {
      cause: error,
    });
  }
}

/** Node has no name for EDQUOT: its `code` is "Unknown system error -122" or so. */
function isFull({ code, errno }: NodeJS.ErrnoException): boolean {
  return code === 'ENOSPC' || errno === -constants.errno.EDQUOT;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  // Not by its class, of which each realm has its own.
  return typeof error === 'object' && error !== null && 'errno' in error && typeof error.errno === 'number';
}

export function noArea(place: string): SnapshotStoreError {
  return new SnapshotStoreError('NOT_FOUND', `there is no area ${place} to go on from`);
}

export function badStream(message: string, cause?: unknown): SnapshotStoreError {
  return new SnapshotStoreError('BAD_STREAM', message, 'It can be sent again.', { cause });
}
