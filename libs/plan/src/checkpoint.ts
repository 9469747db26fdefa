/**
 * An immutable state of a workspace. A `SnapshotStore` (libs/engine) keeps it; here it is only a value to decide on.
 */
export interface Checkpoint {
  /** The same on every host that holds the checkpoint (ZFS: the snapshot's guid). */
  readonly id: string;
  readonly workspace: string;
  readonly label: string;
  readonly facts: CheckpointFacts;
}

/** Kept with the checkpoint. Keys `[a-z][a-z0-9-]{0,30}`, values at most 1000 bytes of UTF-8 without tab, newline or NUL. */
export type CheckpointFacts = Readonly<Record<string, string>>;
