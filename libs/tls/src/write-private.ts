import { randomBytes } from 'node:crypto';
import { link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Writes a file that only its owner may read, whole or not at all, also across a power loss. `keep`: a file that is there already stays, and
 * false is returned; of two processes at the same moment, one wins.
 */
export async function writePrivate(
  path: string,
  text: string,
  existing: 'keep' | 'replace',
): Promise<boolean> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeSynced(draft, text);
    if (existing === 'replace') await rename(draft, path);
    // Unlike rename, link refuses to replace.
    else await link(draft, path);
    await syncFolder(dirname(path));
    return true;
  } catch (error) {
    if (existing === 'keep' && (error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
