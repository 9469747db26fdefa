import { lstat, mkdir, open } from 'node:fs/promises';
import { BlobError } from './blob-error.js';
import { hasCode } from './error-code.js';

/** Makes a folder that only its owner may enter, with those above it. Whether it is new. Throws BlobError UNUSABLE when something else is there. */
export async function makePrivateFolder(path: string): Promise<boolean> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    if (hasCode(error, 'EEXIST') || hasCode(error, 'ENOTDIR')) return undefined;
    throw error;
  });
  const stats = await lstat(path);
  if (!stats.isDirectory()) throw unusable(path, 'it is not a folder');
  if (stats.uid !== process.geteuid?.()) throw unusable(path, 'it belongs to somebody else');
  if ((stats.mode & 0o022) !== 0) throw unusable(path, 'others may write to it');
  return made !== undefined;
}

/** Makes names in a folder outlast a power failure. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function unusable(path: string, reason: string): BlobError {
  return new BlobError('UNUSABLE', `${path} cannot keep the farm's files: ${reason}`);
}
