import { hashFile } from '#libs/artifacts';
import type { BigIntStats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** A file, link or folder in the media folder: its path there, and type, mode, owners and content as one word. */
export type MediaEntry = readonly [path: string, content: string];

/** More than anybody publishes. Of a state with more, it is not said what belongs to it. */
export const MOST_MEDIA_ENTRIES = 10_000;

/**
 * What the steps of a job have written to the media folder. No checkpoint has it, and so it is kept apart: a state is what it was only together with its media.
 */
export class MediaTrail {
  readonly #folder: string;
  #written = new Map<string, string>();
  #seen: ReadonlyMap<string, string> = new Map();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** What steps of the job have written before. Nobody writes to the folder now. */
  async begin(entries: readonly MediaEntry[]): Promise<void> {
    this.#written = new Map(entries);
    this.#seen = looksOf(await findEntries(this.#folder));
  }

  /** Call when a step has ended, with all that it started. */
  async seeChanges(): Promise<void> {
    const found = await findEntries(this.#folder);
    for (const [path, stats] of found) {
      if (this.#seen.get(path) === lookOf(stats)) continue;
      this.#written.set(path, await contentOf(join(this.#folder, path), stats));
    }
    for (const path of this.#written.keys()) if (!found.has(path)) this.#written.delete(path);
    this.#seen = looksOf(found);
  }

  get entries(): readonly MediaEntry[] {
    return [...this.#written].toSorted(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** Which of the entries is gone, or another one by now; the first of them. `null`: all are there as they were. Reads them whole. */
export async function findAltered(folder: string, entries: readonly MediaEntry[]): Promise<string | null> {
  for (const [path, content] of entries) {
    const stats = await lstat(join(folder, path), { bigint: true }).catch(() => null);
    if (stats === null || (await contentOf(join(folder, path), stats)) !== content) return path;
  }
  return null;
}

async function findEntries(folder: string): Promise<ReadonlyMap<string, BigIntStats>> {
  const names = await readdir(folder, { recursive: true });
  const found = names.map(async (name) => [name, await lstat(join(folder, name), { bigint: true })] as const);
  return new Map(await Promise.all(found));
}

function looksOf(found: ReadonlyMap<string, BigIntStats>): ReadonlyMap<string, string> {
  return new Map([...found].map(([path, stats]) => [path, lookOf(stats)]));
}

/** Another one when the entry was written, replaced or touched. Of a folder counts only what it is itself. */
function lookOf(stats: BigIntStats): string {
  const { ino, size, mtimeNs, ctimeNs } = stats;
  return stats.isDirectory() ? attributesOf(stats) : [ino, size, mtimeNs, ctimeNs].join(' ');
}

function attributesOf({ mode, uid, gid, rdev }: BigIntStats): string {
  return [mode.toString(8), uid, gid, rdev].join(' ');
}

async function contentOf(path: string, stats: BigIntStats): Promise<string> {
  const attributes = attributesOf(stats);
  if (stats.isFile()) return `${attributes} ${(await hashFile(path)).sha256}`;
  return stats.isSymbolicLink() ? `${attributes} ${await readlink(path)}` : attributes;
}
