import { SnapshotStoreError } from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { refuseBadLabel, refuseBadWorkspace } from '../store-names.js';
import { readJson } from '../read-json.js';
import { writeJsonDurably } from './durable-files.js';
import { isSubvolume } from './subvolumes.js';

/** `.checkpoints/<workspace>/<label>/record.json`: what makes the read-only snapshot beside it, `tree`, a checkpoint. */
export interface CheckpointRecord {
  readonly id: string;
  readonly sequence: number;
  readonly facts: CheckpointFacts;
}

export type LabelledRecord = CheckpointRecord & { readonly label: string };

/** `.checkpoints/<workspace>/.workspace.json` */
export interface WorkspaceRecord {
  /** UUIDs of subvolumes that the workspace may be: during a swap the old and the new one. Another one in its place is somebody else's. */
  readonly subvolumes: readonly string[];
  /** The checkpoint it was forked from. */
  readonly origin: CheckpointPlace | null;
}

export interface CheckpointPlace {
  readonly workspace: string;
  readonly label: string;
  readonly id: string;
}

/** Name of a checkpoint's subvolume, also in the streams. */
export const TREE = 'tree';

/** What a crash may leave in `.checkpoints/<workspace>`: it goes at the next start. */
export const INCOMING = '.incoming';
export const OUTGOING = '.outgoing';
export const TAKING = '.taking';

const RECORD = 'record.json';
const WORKSPACE_RECORD = '.workspace.json';
const RESERVED = [INCOMING, OUTGOING, TAKING, WORKSPACE_RECORD, `${WORKSPACE_RECORD}.new`];

/** What is known of the checkpoints and workspaces of one build area: the files beside them, and which name is where. */
export class CheckpointRecords {
  /**
   * Has all checkpoints in it. A subvolume of its own: `btrfs receive` finds what a checkpoint goes on from only below the top of one, which need
   * not be to be seen above the build area (a container sees a folder of its host).
   */
  readonly folder: string;

  constructor(private readonly root: string) {
    this.folder = join(root, '.checkpoints');
  }

  workspacePath(workspace: string): string {
    refuseBadWorkspace(workspace);
    return join(this.root, workspace);
  }

  /** Where the checkpoints of a workspace are, and what is remembered about it. */
  home(workspace: string, ...below: readonly string[]): string {
    refuseBadWorkspace(workspace);
    return join(this.folder, workspace, ...below);
  }

  /** Throws FAILED, or EXISTS, for labels that the store uses itself. */
  checkpointPath({ workspace, label }: Pick<Checkpoint, 'workspace' | 'label'>): string {
    refuseBadLabel(label);
    if (RESERVED.includes(label))
      throw new SnapshotStoreError('FAILED', `"${label}" cannot name a checkpoint: the store uses it itself`);
    return this.home(workspace, label);
  }

  treePath(checkpoint: Pick<Checkpoint, 'workspace' | 'label'>): string {
    return join(this.checkpointPath(checkpoint), TREE);
  }

  /** Workspaces that anything is remembered about. */
  async workspaces(): Promise<readonly string[]> {
    // A folder of this name that is no subvolume belongs to the store that copies.
    return (await isSubvolume(this.folder)) ? await readdir(this.folder) : [];
  }

  async workspace(workspace: string): Promise<WorkspaceRecord | null> {
    return await readJson<WorkspaceRecord>(this.home(workspace, WORKSPACE_RECORD));
  }

  async writeWorkspace(workspace: string, record: WorkspaceRecord): Promise<void> {
    await writeJsonDurably(this.home(workspace, WORKSPACE_RECORD), record);
  }

  async writeCheckpoint(folder: string, record: CheckpointRecord): Promise<void> {
    await writeJsonDurably(join(folder, RECORD), record);
  }

  recordPath(folder: string): string {
    return join(folder, RECORD);
  }

  /** Oldest first. What has no readable record is half made, or half gone. */
  async list(workspace: string): Promise<readonly LabelledRecord[]> {
    const records = (await this.#labels(workspace)).map(async (label) => {
      const record = await readJson<CheckpointRecord>(this.recordPath(this.home(workspace, label)));
      return record === null ? [] : [{ ...record, label }];
    });
    return (await Promise.all(records)).flat().toSorted((a, b) => a.sequence - b.sequence);
  }

  /** Folders of checkpoints that are half gone. */
  async remains(workspace: string): Promise<readonly string[]> {
    const labels = new Set((await this.list(workspace)).map(({ label }) => label));
    return (await this.#labels(workspace))
      .filter((label) => !labels.has(label))
      .map((label) => this.home(workspace, label));
  }

  /** Throws NOT_FOUND when there is no such checkpoint, or another one of its name. */
  async find(checkpoint: Checkpoint): Promise<CheckpointRecord> {
    const { workspace, label, id } = checkpoint;
    const record = await readJson<CheckpointRecord>(this.recordPath(this.checkpointPath(checkpoint)));
    if (record?.id === id && (await isSubvolume(this.folder))) return record;
    throw new SnapshotStoreError('NOT_FOUND', `the checkpoint "${label}" of ${workspace} (${id}) is gone`);
  }

  /** Workspaces forked from these checkpoints, and from theirs, and so on: each behind those that came from it. */
  async forksOf(workspace: string, checkpoints: readonly LabelledRecord[]): Promise<readonly string[]> {
    const ids = new Set(checkpoints.map(({ id }) => id));
    const forks: string[] = [];
    for (const name of await this.workspaces()) {
      const origin = (await this.workspace(name))?.origin;
      if (origin?.workspace !== workspace || !ids.has(origin.id)) continue;
      forks.push(...(await this.forksOf(name, await this.list(name))), name);
    }
    return forks;
  }

  /** Throws FAILED when the checkpoint's workspace came from this one, which would take it along when it goes. */
  async refuseOrigin(checkpoint: Checkpoint, workspace: string): Promise<void> {
    let at: string | undefined = checkpoint.workspace;
    while (at !== undefined && at !== workspace) at = (await this.workspace(at))?.origin?.workspace;
    if (at === undefined) return;
    throw new SnapshotStoreError(
      'FAILED',
      `${checkpoint.workspace} was forked from ${workspace}, and cannot replace it`,
    );
  }

  async #labels(workspace: string): Promise<readonly string[]> {
    if (!(await isSubvolume(this.folder))) return [];
    const names = await readdir(this.home(workspace)).catch(() => []);
    return names.filter((name) => !RESERVED.includes(name));
  }
}

export function placeOf({ workspace, label, id }: Checkpoint): CheckpointPlace {
  return { workspace, label, id };
}
