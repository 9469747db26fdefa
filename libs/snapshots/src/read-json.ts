import { readFile } from 'node:fs/promises';

/** `null` when there is no such file, or no JSON in it. */
export async function readJson<T>(path: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch {
    return null;
  }
}
