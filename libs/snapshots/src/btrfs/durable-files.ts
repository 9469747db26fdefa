import { open, rename, rm } from 'node:fs/promises';

/** Replaces the file as a whole: the end of the process, or of the power, leaves the old one or the new one, a full disk the old one and nothing of the new. */
export async function writeJsonDurably(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await writeDurably(temporary, JSON.stringify(value));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text);
    // Without it the name may be on disk before the content.
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Writes out what was made, renamed or removed in a folder. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
