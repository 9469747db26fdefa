import type { Checkpoint } from '#libs/plan';
import {
  CheckpointRecords,
  placeOf,
  WORKSPACE_RECORD,
  type CheckpointPlace,
  type LabelledRecord,
} from '../checkpoint-records.js';
import type { KeptTree } from './tree-transfer.js';
import type { WorkspaceRecord } from './workspace-record.js';

/** What it means to start a workspace from a checkpoint, or from nothing. */
export interface Beginning {
  readonly workspace: string;
  /** Its checkpoints that stay, oldest first. */
  readonly kept: readonly LabelledRecord[];
  readonly dropped: readonly LabelledRecord[];
  /** Workspaces that came from what is dropped, each behind those that came from it. */
  readonly falling: readonly string[];
  readonly origin: CheckpointPlace | null;
}

/**
 * What else is in `.checkpoints/<workspace>`. The last five are halves of something: what a crash left of them goes at the next start. None of
 * them has a record where a checkpoint has it.
 */
export const INDEX = '.index';
export const INCOMING = '.incoming';
export const OUTGOING = '.outgoing';
export const TAKING = '.taking';
export const RECEIVING = '.receiving';
export const DROPPING = '.dropping';
export const HALVES = [INCOMING, OUTGOING, TAKING, RECEIVING, DROPPING];

export class DirectoryRecords extends CheckpointRecords<WorkspaceRecord> {
  constructor(root: string) {
    super(root, [WORKSPACE_RECORD, INDEX, ...HALVES]);
  }

  treeOf(checkpoint: Checkpoint): KeptTree {
    return { id: checkpoint.id, tree: this.treePath(checkpoint) };
  }

  /** Throws NOT_FOUND, and FAILED where the checkpoint came from the workspace that it would replace. */
  async beginning(workspace: string, start: Checkpoint | null): Promise<Beginning> {
    if (start === null) return await this.#withForks(workspace, [], null);
    const { sequence } = await this.find(start);
    if (start.workspace !== workspace) {
      await this.refuseOrigin(start, workspace);
      return await this.#withForks(workspace, [], placeOf(start));
    }
    const kept = (await this.list(workspace)).filter((record) => record.sequence <= sequence);
    return await this.#withForks(workspace, kept, (await this.workspace(workspace))?.origin ?? null);
  }

  /** Whatever has a record is ours. */
  protected override isOurs(): Promise<boolean> {
    return Promise.resolve(true);
  }

  async #withForks(
    workspace: string,
    kept: readonly LabelledRecord[],
    origin: CheckpointPlace | null,
  ): Promise<Beginning> {
    const dropped = (await this.list(workspace)).slice(kept.length);
    return { workspace, kept, dropped, falling: await this.forksOf(workspace, dropped), origin };
  }
}
