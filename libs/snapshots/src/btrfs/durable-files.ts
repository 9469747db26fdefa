import { open, rename } from 'node:fs/promises';

/** Replaces the file as a whole: the end of the process, or of the power, leaves the old one or the new one. */
export async function writeJsonDurably(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(JSON.stringify(value));
    // Without it the name may be on disk before the content.
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
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
