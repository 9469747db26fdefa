import { SnapshotStoreError } from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { refuseBadLabel } from '../store-names.js';
import type { KeptTree } from './tree-transfer.js';
import { readJson } from '../read-json.js';
import type { CheckpointPlace, WorkspaceRecord } from './workspace-record.js';

/** `.checkpoints/<workspace>/<label>/record.json` */
export interface CheckpointRecord {
  readonly id: string;
  readonly sequence: number;
  readonly facts: CheckpointFacts;
}

export type LabelledRecord = CheckpointRecord & { readonly label: string };

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
export const RECORD = '.workspace.json';
export const INDEX = '.index';
export const INCOMING = '.incoming';
export const OUTGOING = '.outgoing';
export const TAKING = '.taking';
export const RECEIVING = '.receiving';
export const DROPPING = '.dropping';
export const HALVES = [INCOMING, OUTGOING, TAKING, RECEIVING, DROPPING];
const RESERVED = [RECORD, INDEX, ...HALVES];

/** Reads what a build area's `.checkpoints` says. */
export class CheckpointRecords {
  readonly #folder: string;

  constructor(root: string) {
    this.#folder = join(root, '.checkpoints');
  }

  /** Where the checkpoints of a workspace are, and what is remembered about it. */
  home(workspace: string, ...below: readonly string[]): string {
    return join(this.#folder, workspace, ...below);
  }

  /** Throws FAILED and EXISTS for labels that cannot be. */
  checkpointPath(workspace: string, label: string): string {
    refuseBadLabel(label);
    if (RESERVED.includes(label))
      throw new SnapshotStoreError('FAILED', `"${label}" cannot name a checkpoint: the store uses it itself`);
    return this.home(workspace, label);
  }

  treeOf({ workspace, label, id }: Checkpoint): KeptTree {
    return { id, tree: join(this.checkpointPath(workspace, label), 'tree') };
  }

  async workspace(name: string): Promise<WorkspaceRecord | null> {
    return await readJson<WorkspaceRecord>(this.home(name, RECORD));
  }

  /** Throws NOT_FOUND when there is no such checkpoint, or another one of its name. */
  async find({ workspace, label, id }: Checkpoint): Promise<CheckpointRecord> {
    const record = await readJson<CheckpointRecord>(
      join(this.checkpointPath(workspace, label), 'record.json'),
    );
    if (record?.id === id) return record;
    throw new SnapshotStoreError('NOT_FOUND', `the checkpoint "${label}" of ${workspace} (${id}) is gone`);
  }

  /** Oldest first. What is half made or not ours has no readable record, and is not there. */
  async of(workspace: string): Promise<readonly LabelledRecord[]> {
    const names = await readdir(this.home(workspace)).catch(() => []);
    const labels = names.filter((name) => !RESERVED.includes(name));
    const records = await Promise.all(
      labels.map(async (label) => {
        const record = await readJson<CheckpointRecord>(this.home(workspace, label, 'record.json'));
        return record === null ? [] : [{ ...record, label }];
      }),
    );
    return records.flat().toSorted((a, b) => a.sequence - b.sequence);
  }

  /** Throws NOT_FOUND, and FAILED where the checkpoint came from the workspace that it would replace. */
  async beginning(workspace: string, start: Checkpoint | null): Promise<Beginning> {
    if (start === null) return await this.#withForks(workspace, [], null);
    const { sequence } = await this.find(start);
    if (start.workspace !== workspace) {
      await this.#refuseOrigin(start, workspace);
      return await this.#withForks(workspace, [], placeOf(start));
    }
    const kept = (await this.of(workspace)).filter((record) => record.sequence <= sequence);
    return await this.#withForks(workspace, kept, (await this.workspace(workspace))?.origin ?? null);
  }

  async #withForks(
    workspace: string,
    kept: readonly LabelledRecord[],
    origin: CheckpointPlace | null,
  ): Promise<Beginning> {
    const dropped = (await this.of(workspace)).slice(kept.length);
    return { workspace, kept, dropped, falling: await this.#forksOf(workspace, dropped), origin };
  }

  /** Workspaces forked from these checkpoints, and from theirs, and so on: each behind those that came from it. */
  async #forksOf(workspace: string, dropped: readonly LabelledRecord[]): Promise<readonly string[]> {
    const ids = new Set(dropped.map(({ id }) => id));
    const names = await readdir(this.#folder).catch(() => []);
    const forks: string[] = [];
    for (const name of names) {
      const origin = (await this.workspace(name))?.origin;
      if (origin?.workspace !== workspace || !ids.has(origin.id)) continue;
      forks.push(...(await this.#forksOf(name, await this.of(name))), name);
    }
    return forks;
  }

  /** A workspace that the checkpoint's came from would take it along when it goes. */
  async #refuseOrigin(checkpoint: Checkpoint, workspace: string): Promise<void> {
    for (
      let at: string | undefined = checkpoint.workspace;
      at !== undefined;
      at = (await this.workspace(at))?.origin?.workspace
    ) {
      if (at !== workspace) continue;
      throw new SnapshotStoreError(
        'FAILED',
        `${checkpoint.workspace} was forked from ${workspace}, and cannot replace it`,
      );
    }
  }
}

export function placeOf({ workspace, label, id }: Checkpoint): CheckpointPlace {
  return { workspace, label, id };
}
