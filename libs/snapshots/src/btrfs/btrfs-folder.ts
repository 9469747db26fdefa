import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BtrfsCommand } from './btrfs-command.js';
import { deleteSubvolumes, isSubvolume, readSubvolume } from './subvolumes.js';

/** BTRFS_SUPER_MAGIC of linux/magic.h */
const BTRFS = 0x9123683e;

/**
 * Whether a folder, which need not be there yet, is a place for BtrfsSnapshotStore and BtrfsAreas: on btrfs, where we may make subvolumes. A build area with
 * checkpoints that were copied is none: DirectorySnapshotStore can go on with them.
 */
export async function isBtrfsFolder(path: string, btrfs = new BtrfsCommand()): Promise<boolean> {
  const copies = join(path, '.checkpoints');
  // A folder's owner may make subvolumes, but not delete them.
  if (process.getuid?.() !== 0 || (existsSync(copies) && !(await isSubvolume(copies)))) return false;
  const there = nearestFolder(path);
  return (await statfs(there)).type === BTRFS && (await canMakeSubvolumes(there, btrfs));
}

function nearestFolder(path: string): string {
  return existsSync(path) ? path : nearestFolder(dirname(path));
}

/** By doing so: a container, a read-only mount, or btrfs-progs that are missing forbid it in ways of their own. */
async function canMakeSubvolumes(folder: string, btrfs: BtrfsCommand): Promise<boolean> {
  const attempt = join(folder, `.distrofarm-attempt-${randomUUID()}`);
  try {
    await btrfs.btrfs('subvolume', 'create', attempt);
    await readSubvolume(btrfs, attempt);
    return true;
  } catch {
    return false;
  } finally {
    await deleteSubvolumes(btrfs, attempt).catch(() => undefined);
  }
}
