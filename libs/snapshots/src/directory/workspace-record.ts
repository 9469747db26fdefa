import { lstat, rename, rm, writeFile } from 'node:fs/promises';
import type { CheckpointPlace, Origin } from '../checkpoint-records.js';

/** What is remembered about a workspace, beside its checkpoints: which folder we made, so that somebody else's is not taken for it. */
export interface WorkspaceRecord extends Origin {
  /** Folders that the workspace may be: during a swap the old and the new one; none: it equals its newest checkpoint, which was received, and is made of that. */
  readonly folders: readonly FolderIdentity[];
  /** The state that `.index` describes; `null` when nothing is known about what changed. */
  readonly base: IndexBase | null;
}

/** A checkpoint here, or in another build area. */
export interface KeptPlace extends CheckpointPlace {
  /** Folder of the other build area. */
  readonly root?: string;
}

export interface IndexBase extends KeptPlace {
  /** The folder the index was made of: it says nothing about another one. */
  readonly folder: FolderIdentity;
}

/** Inode and time of birth: an inode number is given to the next folder as soon as its own one is gone. */
export type FolderIdentity = string;

/** `null` when there is no such folder. */
export async function identifyFolder(path: string): Promise<FolderIdentity | null> {
  try {
    const { ino, birthtimeNs } = await lstat(path, { bigint: true });
    return `${ino} ${birthtimeNs}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Replaces the file as a whole: a crash leaves the old one or the new one, a full disk the old one and nothing of the new. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await writeFile(temporary, JSON.stringify(value), { mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
