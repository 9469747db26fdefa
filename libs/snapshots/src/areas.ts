import type { SnapshotStore, Space, Workspace } from '#libs/engine';
import type { Checkpoint } from '#libs/plan';

/**
 * The build areas of an agent, side by side in one place: each has workspaces and checkpoints of its own. As with workspaces, an area is known by what was
 * written when it was made, never by its name, and nothing else is ever destroyed. Names have letters, digits and `_ . : -`, and do not start with `.` or `-`.
 *
 * All methods throw SnapshotStoreError, in the words of SnapshotStore.
 */
export abstract class Areas {
  abstract readonly kind: 'zfs' | 'btrfs' | 'directory';
  /** One sentence for people. */
  abstract readonly description: string;

  /** Sees to it that the place for the areas is there; resolves to its folder. To be called first. Throws BACKEND_DOWN, NOT_FOUND. */
  abstract prepare(): Promise<string>;

  /** Makes the area unless it is there. Throws FOREIGN_DATA when its place holds something else. */
  abstract open(name: string): Promise<Area>;

  /** Areas of ours, whatever they hold, by name. Read-only. */
  abstract list(): Promise<readonly string[]>;

  /** Workspaces of ours in the area. Read-only; an absent area has none. */
  abstract workspaces(name: string): Promise<readonly string[]>;

  /** Unmounts the area's workspaces, with what is mounted below them. Nobody may be working in the area. Throws BUSY. */
  abstract rest(name: string): Promise<void>;

  /**
   * Makes a workspace equal to a checkpoint that another area holds, which is not changed: as `startFrom` does with one of another workspace, but what is done to either
   * of the two areas later does not concern the other one. The area of the workspace is made unless it is there. Throws as `startFrom`; NOT_FOUND also when
   * there is no area to fork from.
   */
  abstract fork(from: CheckpointOfArea, to: WorkspaceOfArea): Promise<Workspace>;

  /**
   * Opens the tree of a checkpoint to be read, by nobody else and one at a time. Nothing may be written in it, where that is not refused anyhow. Its own area may go meanwhile: either the tree stays as it was, or
   * what is read fails, and `close` throws NOT_FOUND. Throws NOT_FOUND, NO_SPACE.
   */
  abstract openTree(from: CheckpointOfArea): Promise<OpenTree>;

  /**
   * Removes the area with all that is in it. Absent is fine. Throws FOREIGN_DATA, FOREIGN_SNAPSHOTS, PINNED, BUSY: some of it may be gone then. PINNED says also which
   * areas have gone on from this one in a way that needs it: its workspaces are gone by then, and the rest goes when it is destroyed after those.
   */
  abstract destroy(name: string): Promise<void>;

  /**
   * Bytes that would be free without the area, as far as the store can say; 0 of an absent one. Read-only. It may take as long as a walk through all that is in it, and lags a few seconds behind
   * what was done to it.
   */
  abstract usedBytes(name: string): Promise<number>;

  /** Bytes at hand to all areas together. */
  abstract space(): Promise<Space>;
}

export interface CheckpointOfArea {
  readonly area: string;
  readonly checkpoint: Checkpoint;
}

export interface WorkspaceOfArea {
  readonly area: string;
  readonly workspace: string;
}

export interface OpenTree {
  readonly path: string;
  /** Leaves nothing behind. Throws NOT_FOUND when the checkpoint was not there all the time. */
  readonly close: () => Promise<void>;
}

export interface Area {
  readonly name: string;
  /** A folder, for what is no workspace: it is not rolled back, and goes with the area. */
  readonly path: string;
  readonly store: SnapshotStore;
}
