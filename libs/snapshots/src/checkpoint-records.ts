import { SnapshotStoreError } from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson } from './read-json.js';
import { refuseBadLabel, refuseBadWorkspace } from './store-names.js';

/** `.checkpoints/<workspace>/<label>/record.json`: what makes the tree beside it a checkpoint. */
export interface CheckpointRecord {
  readonly id: string;
  readonly sequence: number;
  readonly facts: CheckpointFacts;
  /** What its tree looked like when it was taken, where the store keeps that. */
  readonly seal?: string;
}

export type LabelledRecord = CheckpointRecord & { readonly label: string };

export interface CheckpointPlace {
  readonly workspace: string;
  readonly label: string;
  readonly id: string;
}

/** `.checkpoints/<workspace>/.workspace.json`, as far as the stores that keep one have it in common. */
export interface Origin {
  /** The checkpoint that the workspace was forked from. */
  readonly origin: CheckpointPlace | null;
}

/** Name of a checkpoint's tree, beside its record. */
export const TREE = 'tree';
export const WORKSPACE_RECORD = '.workspace.json';

const RECORD = 'record.json';

/** What a build area's `.checkpoints` says, where there is no ZFS to say it, and which name is where. */
export abstract class CheckpointRecords<W extends Origin> {
  readonly folder: string;

  /** @param ownNames what the store itself puts beside the checkpoints of a workspace */
  protected constructor(
    private readonly root: string,
    private readonly ownNames: readonly string[],
  ) {
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

  /** Throws FAILED, or EXISTS, for labels that cannot be. */
  checkpointPath({ workspace, label }: Pick<Checkpoint, 'workspace' | 'label'>): string {
    refuseBadLabel(label);
    if (this.ownNames.includes(label))
      throw new SnapshotStoreError('FAILED', `"${label}" cannot name a checkpoint: the store uses it itself`);
    return this.home(workspace, label);
  }

  treePath(checkpoint: Pick<Checkpoint, 'workspace' | 'label'>): string {
    return join(this.checkpointPath(checkpoint), TREE);
  }

  recordPath(folder: string): string {
    return join(folder, RECORD);
  }

  /** Workspaces that anything is remembered about. */
  async workspaces(): Promise<readonly string[]> {
    return (await this.isOurs()) ? await readdir(this.folder).catch(() => []) : [];
  }

  async workspace(workspace: string): Promise<W | null> {
    return await readJson<W>(this.home(workspace, WORKSPACE_RECORD));
  }

  /** Oldest first. What has no readable record is half made, half gone, or not ours. */
  async list(workspace: string): Promise<readonly LabelledRecord[]> {
    const records = (await this.labels(workspace)).map(async (label) => {
      const record = await readJson<CheckpointRecord>(this.recordPath(this.home(workspace, label)));
      return record === null ? [] : [{ ...record, label }];
    });
    return (await Promise.all(records)).flat().toSorted((a, b) => a.sequence - b.sequence);
  }

  /** Throws NOT_FOUND when there is no such checkpoint, or another one of its name. */
  async find(checkpoint: Checkpoint): Promise<CheckpointRecord> {
    const { workspace, label, id } = checkpoint;
    const record = await readJson<CheckpointRecord>(this.recordPath(this.checkpointPath(checkpoint)));
    if (record?.id === id && (await this.isOurs())) return record;
    throw new SnapshotStoreError('NOT_FOUND', `the checkpoint "${label}" of ${workspace} (${id}) is gone`);
  }

  /** Does something with a checkpoint that others may drop meanwhile. Throws NOT_FOUND when it was not there all the time, whatever came of that. */
  async withHeld<T>(checkpoint: Checkpoint, work: (tree: string) => Promise<T>): Promise<T> {
    await this.find(checkpoint);
    try {
      return await work(this.treePath(checkpoint));
    } finally {
      await this.find(checkpoint);
    }
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

  /** `false`: the folder of the checkpoints' name belongs to a store of another kind, or to somebody else. */
  protected abstract isOurs(): Promise<boolean>;

  /** Of what is, or may have been, a checkpoint of the workspace. */
  protected async labels(workspace: string): Promise<readonly string[]> {
    if (!(await this.isOurs())) return [];
    const names = await readdir(this.home(workspace)).catch(() => []);
    return names.filter((name) => !this.ownNames.includes(name));
  }
}

export function placeOf({ workspace, label, id }: Checkpoint): CheckpointPlace {
  return { workspace, label, id };
}
