import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import type { Readable } from 'node:stream';

/**
 * Port: workspaces and their checkpoints. One store serves one build area (or one agent's dataset); backends are
 * siblings in libs/snapshots, and each of them passes `snapshotStoreConformance` (snapshot-store-conformance.ts).
 *
 * The store is the truth about which checkpoints exist. It proves ownership by what it wrote itself (a user property,
 * a facts file), never by a name, and never destroys anything else.
 *
 * Workspaces and labels have names of letters, digits and `_ . : -`, at most 200 of them; neither starts with `-`, and a workspace not with `.`
 * either. The label `empty` is the store's own. Other names throw FAILED, also where this is not said again.
 */
export abstract class SnapshotStore {
  /** One sentence for people: what keeps the checkpoints, and what that costs. */
  abstract readonly description: string;

  /**
   * Makes `workspace` an empty tree holding only the store's layout folders, of mode 0755, and forgets its checkpoints and our own forks of
   * them. Creates it when absent; an existing one of ours is brought back to empty. Idempotent. Throws FOREIGN_DATA, FOREIGN_SNAPSHOTS, PINNED,
   * BUSY, NO_SPACE.
   */
  abstract startEmpty(workspace: string): Promise<Workspace>;

  /**
   * Makes `workspace` equal to the checkpoint. A checkpoint of the same workspace: rolls back, which drops the
   * workspace's newer checkpoints and our own forks of them, and theirs, only after everything that can be checked has been. A
   * checkpoint of another workspace: replaces `workspace`, with all that was forked from it, by a fork; FAILED when the checkpoint itself came
   * from there. Throws NOT_FOUND, FOREIGN_DATA, FOREIGN_SNAPSHOTS, PINNED, BUSY and NO_SPACE. The workspace is then as it was, or, where there
   * was no room for both, without what would have been lost anyway; checkpoints that should stay are there.
   */
  abstract startFrom(checkpoint: Checkpoint, workspace: string): Promise<Workspace>;

  /**
   * Takes a checkpoint of the workspace's present state, all or nothing: when it returns, the checkpoint outlives this process however that ends
   * (on ZFS a power failure too). No process may be writing. Throws EXISTS when the label is taken, NO_SPACE, NOT_FOUND.
   */
  abstract take(workspace: string, label: string, facts: CheckpointFacts): Promise<Checkpoint>;

  /** Our checkpoints of the workspace, oldest first. Read-only; an absent workspace has none. */
  abstract list(workspace: string): Promise<readonly Checkpoint[]>;

  /** Whether the checkpoint is there, and is what was taken, as far as that shows without reading all of it. Read-only. */
  abstract isAsTaken(checkpoint: Checkpoint): Promise<boolean>;

  /** Removes the workspace, its checkpoints and our own forks of them. Absent is fine. Throws FOREIGN_DATA, FOREIGN_SNAPSHOTS, PINNED, BUSY. */
  abstract destroy(workspace: string): Promise<void>;

  /** Bytes at hand to the build area right now. */
  abstract space(): Promise<Space>;

  /**
   * The checkpoint as a stream for `receive` of a store of the same kind: what changed since `base`, which the receiver has too, or all of it. It may be
   * read while steps work in the workspace, but not while the checkpoint is dropped: destroy the stream first. The stream emits an error when it cannot be
   * whole; once it is destroyed, no process of it is left. Throws NOT_FOUND.
   */
  abstract send(checkpoint: Checkpoint, base: Checkpoint | null): Promise<Readable>;

  /** About how many bytes `send` would give; `null`: that shows only when it is sent. Throws NOT_FOUND. */
  abstract estimateSend(checkpoint: Checkpoint, base: Checkpoint | null): Promise<number | null>;

  /**
   * Takes in a checkpoint that another store has sent, under its own id and with these facts; all or nothing. Without `base` it is the first of its
   * workspace, which is made anew; with a `base` of its workspace that is rolled back to first; with one of another workspace the workspace is made
   * anew as its fork. The workspace is then as `startFrom` leaves it where the checkpoint is its newest, but need not be mounted.
   *
   * The stream is read to its end or destroyed. What is in it is not believed: it can neither name another place nor set properties, and its id is compared
   * before anything counts. Throws BAD_STREAM (nothing has changed but that the workspace is rolled back, or gone, or has something `partial`), and as `startFrom`.
   *
   * With the `position` of what is `partial`, the stream is its rest, from `sendRest`. Without, nothing is gone on with.
   */
  abstract receive(
    checkpoint: Checkpoint,
    base: Checkpoint | null,
    stream: Readable,
    position?: string,
  ): Promise<void>;

  /**
   * What a `receive` of this checkpoint from this base has left that broke off: not a checkpoint, only something to be gone on with. It is gone when the workspace is
   * changed in any other way, and after a day. Always `null` where a store keeps nothing of the kind. Read-only.
   */
  abstract partial(checkpoint: CheckpointId, base: Checkpoint | null): Promise<PartialReceive | null>;

  /**
   * As `send`, of what is behind the position; `null` where this store cannot go on there: it can `send` all of it. The position is the receiver's, and not believed:
   * whatever it is, nothing else is sent than `send` would.
   */
  abstract sendRest(
    checkpoint: Checkpoint,
    base: Checkpoint | null,
    position: string,
  ): Promise<Readable | null>;
}

export type CheckpointId = Omit<Checkpoint, 'facts'>;

export interface PartialReceive {
  /** For `sendRest` of the store that it is sent from, and `receive`. At most 100 letters, digits and `.` */
  readonly position: string;
  /** Of the stream that have come. */
  readonly bytes: number;
}

export interface Workspace {
  readonly name: string;
  /** Absolute path of the writable tree, mounted. */
  readonly path: string;
}

export interface Space {
  readonly freeBytes: number;
  readonly usedBytes: number;
}

/** Why a store refused or failed. Callers branch on these; each member says who can mend it. */
export type SnapshotStoreErrorCode =
  /** The workspace's place holds something we did not make: the user moves it away or names another build area. */
  | 'FOREIGN_DATA'
  /** Snapshots or clones of someone else stand in the way: the user renames, promotes or destroys them. */
  | 'FOREIGN_SNAPSHOTS'
  /** Held checkpoint: whoever holds it must release it. */
  | 'PINNED'
  /** Processes or mounts of someone else are in the workspace; `message` names them. */
  | 'BUSY'
  | 'NO_SPACE'
  | 'NOT_FOUND'
  | 'EXISTS'
  /** What came is cut, damaged, of another checkpoint, or goes on from another base: it can be sent again. */
  | 'BAD_STREAM'
  /** The pool, the daemon or the mount is gone; nothing was changed. */
  | 'BACKEND_DOWN'
  /** Anything else; `cause` has the command. */
  | 'FAILED';

export class SnapshotStoreError extends Error {
  override readonly name = 'SnapshotStoreError';
  constructor(
    readonly code: SnapshotStoreErrorCode,
    message: string,
    /** What to do next, when we know. */
    readonly hint: string | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
