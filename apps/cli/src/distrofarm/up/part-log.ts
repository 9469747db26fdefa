import { open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

const TAIL_BYTES = 16 * 1024;

export interface PartLog {
  readonly path: string;
  readonly file: FileHandle;
}

/** An empty log for a part of the farm. The one of the last time stays beside it as `<name>.log.1`; older ones go. */
export async function openPartLog(folder: string, name: string): Promise<PartLog> {
  const path = join(folder, `${name}.log`);
  await rename(path, `${path}.1`).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
  return { path, file: await open(path, 'a', 0o600) };
}

/** The last words of a log, for people; fewer, or none, where there are not so many. */
export async function lastWords(path: string, count: number): Promise<readonly string[]> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  const lines = bytes.subarray(-TAIL_BYTES).toString('utf8').split('\n');
  return lines
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .map(inWords);
}

/** A line of pino's as a sentence; another program's line as it is. */
function inWords(line: string): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return line;
  }
  if (typeof value !== 'object' || value === null || !('msg' in value)) return line;
  const { msg, err } = value as { readonly msg: string; readonly err?: { readonly message?: string } };
  return err?.message === undefined ? msg : `${msg}: ${err.message}`;
}
