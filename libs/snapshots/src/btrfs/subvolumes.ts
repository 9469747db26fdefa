import { SnapshotStoreError } from '#libs/engine';
import { lstat } from 'node:fs/promises';
import { isCode } from '../store-errors.js';
import type { BtrfsCommand } from './btrfs-command.js';

/** What btrfs knows a subvolume by. */
export interface Subvolume {
  /** Given by the kernel, once. */
  readonly uuid: string;
  /** What `btrfs receive` was told to know it by. */
  readonly receivedUuid: string | null;
  /** The one it is a snapshot of. */
  readonly parentUuid: string | null;
  readonly isReadOnly: boolean;
}

/** `null` when there is nothing; throws FAILED when it is no subvolume. */
export async function readSubvolume(btrfs: BtrfsCommand, path: string): Promise<Subvolume | null> {
  try {
    return parseSubvolume(await btrfs.btrfs('subvolume', 'show', path));
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return null;
    throw error;
  }
}

/** Reads the output of `btrfs subvolume show`. */
export function parseSubvolume(shown: string): Subvolume {
  const value = (name: string): string | null => {
    const found = new RegExp(`^\\t${name}:[ \\t]*(\\S*)`, 'm').exec(shown)?.[1] ?? '';
    return found === '' || found === '-' ? null : found;
  };
  const uuid = value('UUID');
  if (uuid === null) throw new SnapshotStoreError('FAILED', 'btrfs shows a subvolume without a UUID');
  return {
    uuid,
    receivedUuid: value('Received UUID'),
    parentUuid: value('Parent UUID'),
    isReadOnly: value('Flags') === 'readonly',
  };
}

/** Whether there is a folder that is the top of a subvolume; of one on btrfs. Costs no process. */
export async function isSubvolume(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  return found?.isDirectory() === true && found.ino === 256;
}

/** Paths, as from the top of the file system, of subvolumes in this one, which a snapshot of it does not hold. */
export async function nestedSubvolumes(btrfs: BtrfsCommand, path: string): Promise<readonly string[]> {
  const listed = await btrfs.btrfs('subvolume', 'list', '-o', path);
  return [...listed.matchAll(/^ID \d+ gen \d+ top level \d+ path (.*)$/gm)].map(([, found]) => found ?? '');
}

/**
 * Deletes subvolumes, with those in them. Absent ones are fine. One that is being sent cannot be: a killed `btrfs send` ends a little after the
 * signal. Throws BUSY when that takes more than 10 s.
 */
export async function deleteSubvolumes(btrfs: BtrfsCommand, ...paths: readonly string[]): Promise<void> {
  const until = performance.now() + RETRY_FOR_MS;
  for (let delayMs = FIRST_DELAY_MS; ; delayMs *= 2) {
    const areThere = await Promise.all(paths.map(isSubvolume));
    const there = paths.filter((_, index) => areThere[index] === true);
    if (there.length === 0) return;
    try {
      await btrfs.btrfs('subvolume', 'delete', ...there);
      return;
    } catch (error) {
      if (await hasDeletedNested(btrfs, there, error)) continue;
      if (!isCode(error, 'BUSY') || performance.now() + delayMs > until) throw error;
      await sleep(delayMs);
    }
  }
}

async function hasDeletedNested(
  btrfs: BtrfsCommand,
  paths: readonly string[],
  error: unknown,
): Promise<boolean> {
  if (!(error instanceof SnapshotStoreError) || !/Directory not empty/.test(error.message)) return false;
  const nested: string[] = [];
  for (const path of paths) if (await isSubvolume(path)) nested.push(...(await btrfs.findSubvolumes(path)));
  await deleteSubvolumes(btrfs, ...nested);
  return nested.length > 0;
}

/**
 * Waits until the kernel has given back the room of what was deleted. It does that in its own time, up to 30 s later (measured), unless the file
 * system is told to sync: then at once, 0.2 s for 42,000 files.
 */
export async function untilRoomIsBack(btrfs: BtrfsCommand, path: string): Promise<void> {
  await btrfs.btrfs('filesystem', 'sync', path);
  const until = performance.now() + ROOM_BACK_MS;
  for (let delayMs = FIRST_DELAY_MS; ; delayMs *= 2) {
    const deleted = await btrfs.btrfs('subvolume', 'list', '-d', path);
    // Whoever has a file open in it holds it up; the rest is only waiting.
    if (!/^ID /m.test(deleted) || performance.now() + delayMs > until) return;
    await sleep(delayMs);
  }
}

const RETRY_FOR_MS = 10_000;
const ROOM_BACK_MS = 30_000;
const FIRST_DELAY_MS = 20;

async function sleep(ms: number): Promise<void> {
  await new Promise((later) => setTimeout(later, ms));
}
