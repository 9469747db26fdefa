import { join } from 'node:path';
import {
  CheckpointRecords,
  WORKSPACE_RECORD,
  type CheckpointRecord,
  type Origin,
} from '../checkpoint-records.js';
import { writeJsonDurably } from './durable-files.js';
import { isSubvolume } from './subvolumes.js';

/** `.checkpoints/<workspace>/.workspace.json` */
export interface WorkspaceRecord extends Origin {
  /** UUIDs of subvolumes that the workspace may be: during a swap the old and the new one. Another one in its place is somebody else's. */
  readonly subvolumes: readonly string[];
}

/** What a crash may leave in `.checkpoints/<workspace>`: it goes at the next start. */
export const INCOMING = '.incoming';
export const OUTGOING = '.outgoing';
export const TAKING = '.taking';

/**
 * The folder of the checkpoints is a subvolume of its own: `btrfs receive` finds what a checkpoint goes on from only below the top of one, which need not be to be
 * seen above the build area (a container sees a folder of its host).
 */
export class BtrfsRecords extends CheckpointRecords<WorkspaceRecord> {
  constructor(root: string) {
    super(root, [INCOMING, OUTGOING, TAKING, WORKSPACE_RECORD, `${WORKSPACE_RECORD}.new`]);
  }

  async writeWorkspace(workspace: string, record: WorkspaceRecord): Promise<void> {
    await writeJsonDurably(this.home(workspace, WORKSPACE_RECORD), record);
  }

  async writeCheckpoint(folder: string, record: CheckpointRecord): Promise<void> {
    await writeJsonDurably(this.recordPath(folder), record);
  }

  /** Folders of checkpoints that are half gone. */
  async remains(workspace: string): Promise<readonly string[]> {
    const labels = new Set((await this.list(workspace)).map(({ label }) => label));
    return (await this.labels(workspace))
      .filter((label) => !labels.has(label))
      .map((label) => join(this.home(workspace), label));
  }

  /** A folder of this name that is no subvolume belongs to the store that copies. */
  protected override async isOurs(): Promise<boolean> {
    return await isSubvolume(this.folder);
  }
}
