import { SnapshotStoreError } from '#libs/engine';

export function badStream(message: string, cause?: unknown): SnapshotStoreError {
  return new SnapshotStoreError('BAD_STREAM', message, 'It can be sent again.', { cause });
}
