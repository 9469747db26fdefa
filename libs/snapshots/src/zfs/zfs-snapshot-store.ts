import { SnapshotStore, SnapshotStoreError, type SnapshotStoreErrorCode, type Space, type Workspace } from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { releaseMountsBelow } from '../release-mounts.js';
import { treeUsers } from '../tree-users.js';
import { childDataset, snapshotName, type DatasetName } from './dataset-name.js';
import { readProperties, type Properties } from './dataset-properties.js';
import { FACT_PROPERTIES, factsFromProperties, factsToProperties } from './fact-properties.js';
import { retrying, ZfsCommand } from './zfs-command.js';

export interface ZfsSnapshotStoreOptions {
  /** The build area's dataset. Workspaces are its children; nothing outside it is ever changed. */
  readonly root: DatasetName;
  /** Folders of an empty workspace. */
  readonly layout: readonly string[];
  readonly zfs?: ZfsCommand;
}

/** User properties: https://openzfs.github.io/openzfs-docs/man/master/7/zfsprops.7.html#User_Properties */
const OURS = 'org.distrofarm:';
/** Set on datasets we made. Their snapshots inherit it, so it proves nothing about those. */
const ROLE = `${OURS}role`;
/** Set on snapshots we took, never on datasets. */
const MARK = `${OURS}checkpoint`;
/** The state of a workspace that nobody has worked in; distro_const's name for it. */
const EMPTY = 'empty';

/** Room kept back so that a full pool can still be rolled back: zfs-fuse refuses even that without. */
const RESERVE_BYTES = 64 * 1024 * 1024;
const RESERVE_SHARE = 0.05;

/** Checkpoints as ZFS snapshots, workspaces as datasets, forks as clones. Works alike on OpenZFS and zfs-fuse. */
export class ZfsSnapshotStore extends SnapshotStore {
  override readonly description: string;
  readonly #root: DatasetName;
  readonly #layout: readonly string[];
  readonly #zfs: ZfsCommand;

  constructor({ root, layout, zfs = new ZfsCommand() }: ZfsSnapshotStoreOptions) {
    super();
    this.#root = root;
    this.#layout = layout;
    this.#zfs = zfs;
    this.description = `ZFS snapshots in ${root}`;
  }

  override async startEmpty(workspace: string): Promise<Workspace> {
    const dataset = childDataset(this.#root, workspace);
    await this.#holdReserve();
    const state = await this.#inspect(dataset);
    if (state === null) return await this.#create(dataset, workspace);
    const empty = state.snapshots.find(({ label, isOurs }) => label === EMPTY && isOurs);
    if (empty !== undefined && !state.isClone) return await this.#rollBack(dataset, workspace, state, empty);
    // A former fork, or one whose creation was cut short: nothing in it can be gone back to.
    await this.destroy(workspace);
    return await this.#create(dataset, workspace);
  }

  override async startFrom(checkpoint: Checkpoint, workspace: string): Promise<Workspace> {
    const source = childDataset(this.#root, checkpoint.workspace);
    const state = await this.#inspect(source);
    const snapshot = state?.snapshots.find(({ label }) => label === checkpoint.label);
    if (state === null || snapshot === undefined || snapshot.guid !== checkpoint.id) {
      throw new SnapshotStoreError('NOT_FOUND', `the checkpoint ${source}@${checkpoint.label} (${checkpoint.id}) is gone`);
    }
    if (checkpoint.workspace === workspace) return await this.#rollBack(source, workspace, state, snapshot);
    await this.destroy(workspace);
    const dataset = childDataset(this.#root, workspace);
    await this.#withReserve(() =>
      this.#zfs.zfs('clone', '-o', `${ROLE}=workspace`, snapshotName(source, checkpoint.label), dataset),
    );
    return await this.#mounted(dataset, workspace);
  }

  override async take(workspace: string, label: string, facts: CheckpointFacts): Promise<Checkpoint> {
    const dataset = childDataset(this.#root, workspace);
    const snapshot = snapshotName(dataset, label);
    const properties = [[MARK, label] as const, ...factsToProperties(facts)];
    const options = properties.flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    await this.#withReserve(() => this.#zfs.zfs('snapshot', ...options, snapshot));
    const id = (await readProperties(this.#zfs, snapshot as string as DatasetName, 0, ['guid'])).get(snapshot)?.get('guid');
    if (id === undefined) throw new SnapshotStoreError('FAILED', `the snapshot ${snapshot} was taken, but has no guid`);
    return { id, workspace, label, facts };
  }

  override async list(workspace: string): Promise<readonly Checkpoint[]> {
    const state = await this.#inspect(childDataset(this.#root, workspace));
    const ours = state?.snapshots.filter(({ isOurs, label }) => isOurs && label !== EMPTY) ?? [];
    return ours.map(({ guid, label, facts }) => ({ id: guid, workspace, label, facts }));
  }

  override async destroy(workspace: string): Promise<void> {
    const dataset = childDataset(this.#root, workspace);
    const state = await this.#inspect(dataset);
    if (state === null) return;
    this.#refuseForeign(dataset, state, state.snapshots);
    for (const fork of await this.#forksOf(dataset, state.snapshots)) await this.destroy(fork);
    await this.#unmount(dataset);
    // Only what was looked at above: without -r and -R, ZFS refuses when something came between.
    for (const { label } of state.snapshots.toReversed()) {
      await this.#zfs.zfsRetrying(['BUSY'], 'destroy', snapshotName(dataset, label));
    }
    await this.#zfs.zfsRetrying(['BUSY'], 'destroy', dataset);
  }

  override async space(): Promise<Space> {
    const properties = (await readProperties(this.#zfs, this.#root, 0, ['available', 'used'])).get(this.#root);
    return { freeBytes: Number(properties?.get('available')), usedBytes: Number(properties?.get('used')) };
  }

  /** `null` when the dataset does not exist. */
  async #inspect(dataset: DatasetName): Promise<WorkspaceState | null> {
    try {
      const all = await readProperties(this.#zfs, dataset, 1, STATE_PROPERTIES);
      const own = all.get(dataset) ?? new Map<string, string>();
      const snapshots = [...all]
        .filter(([name]) => name.startsWith(`${dataset}@`))
        .map(([name, properties]) => snapshotState(name.slice(dataset.length + 1), properties))
        .toSorted((a, b) => a.createdInTransaction - b.createdInTransaction);
      return { isOurs: own.get(ROLE) === 'workspace', isClone: own.has('origin'), snapshots };
    } catch (error) {
      if (isCode(error, 'NOT_FOUND')) return null;
      throw error;
    }
  }

  async #create(dataset: DatasetName, workspace: string): Promise<Workspace> {
    await this.#withReserve(() => this.#zfs.zfs('create', '-o', `${ROLE}=workspace`, dataset));
    const created = await this.#mounted(dataset, workspace);
    for (const folder of this.#layout) await mkdir(join(created.path, folder), { mode: 0o755 });
    await this.take(workspace, EMPTY, {});
    return created;
  }

  async #rollBack(
    dataset: DatasetName,
    workspace: string,
    state: WorkspaceState,
    target: SnapshotState,
  ): Promise<Workspace> {
    const newer = state.snapshots.filter((snapshot) => snapshot.createdInTransaction > target.createdInTransaction);
    this.#refuseForeign(dataset, state, newer);
    for (const fork of await this.#forksOf(dataset, newer)) await this.destroy(fork);
    await this.#unmount(dataset);
    try {
      const codes = ['BUSY', 'BACKEND_DOWN'] as const;
      await this.#withReserve(() => this.#zfs.zfsRetrying(codes, 'rollback', '-r', snapshotName(dataset, target.label)));
    } finally {
      // Also when the roll back failed: whoever looks should see the workspace as it is.
      await this.#zfs.zfsRetrying(['BUSY'], 'mount', dataset);
    }
    return await this.#mounted(dataset, workspace);
  }

  #refuseForeign(dataset: DatasetName, state: WorkspaceState, snapshots: readonly SnapshotState[]): void {
    if (!state.isOurs) {
      throw new SnapshotStoreError(
        'FOREIGN_DATA',
        `dataset "${dataset}" was not made by distro_const, and what is in it would be lost`,
        `Rename it (zfs rename ${dataset} …), or name another build area.`,
      );
    }
    const foreign = snapshots.filter(({ isOurs }) => !isOurs).map(({ label }) => `${dataset}@${label}`);
    if (foreign.length > 0) {
      throw new SnapshotStoreError(
        'FOREIGN_SNAPSHOTS',
        `snapshots that distro_const did not take are in the way: ${foreign.join(', ')}`,
        'Destroy them, or keep their contents: zfs clone, then zfs promote, then try again.',
      );
    }
    const held = snapshots.filter(({ holds }) => holds > 0).map(({ label }) => `${dataset}@${label}`);
    if (held.length > 0) throw new SnapshotStoreError('PINNED', `held checkpoints are in the way: ${held.join(', ')}`, 'zfs holds, zfs release');
  }

  /** Our workspaces that were cloned from any of these snapshots. Somebody else's clones make ZFS refuse. */
  async #forksOf(dataset: DatasetName, snapshots: readonly SnapshotState[]): Promise<readonly string[]> {
    if (snapshots.length === 0) return [];
    const origins = new Set(snapshots.map(({ label }) => `${dataset}@${label}`));
    const children = await readProperties(this.#zfs, this.#root, 1, ['origin', ROLE]);
    return [...children]
      .filter(([, properties]) => origins.has(properties.get('origin') ?? '') && properties.get(ROLE) === 'workspace')
      .map(([name]) => name.slice(this.#root.length + 1));
  }

  async #unmount(dataset: DatasetName): Promise<void> {
    const properties = (await readProperties(this.#zfs, dataset, 0, ['mounted', 'mountpoint'])).get(dataset);
    if (properties?.get('mounted') !== 'yes') return;
    const path = properties.get('mountpoint') ?? '';
    await releaseMountsBelow(path);
    const users = await treeUsers(path);
    if (users.length > 0) throw busy(path, users);
    try {
      await this.#zfs.zfsRetrying(['BUSY'], 'unmount', dataset);
    } catch (error) {
      throw isCode(error, 'BUSY') ? busy(path, await treeUsers(path), error) : error;
    }
  }

  async #mounted(dataset: DatasetName, workspace: string): Promise<Workspace> {
    const look = async (): Promise<Properties | undefined> =>
      (await readProperties(this.#zfs, dataset, 0, ['mounted', 'mountpoint'])).get(dataset);
    let properties = await look();
    if (properties?.get('mounted') !== 'yes') {
      await this.#zfs.zfsRetrying(['BUSY'], 'mount', dataset);
      properties = await look();
    }
    const path = properties?.get('mountpoint') ?? '';
    if (properties?.get('mounted') === 'yes' && path.startsWith('/')) return { name: workspace, path };
    throw new SnapshotStoreError('FAILED', `dataset "${dataset}" could not be mounted`, `zfs get mountpoint,canmount ${dataset}`);
  }

  async #holdReserve(): Promise<void> {
    const reserve = childDataset(this.#root, 'reserve');
    if ((await this.#inspect(reserve)) !== null) return;
    const { freeBytes } = await this.space();
    const bytes = Math.floor(Math.min(RESERVE_BYTES, freeBytes * RESERVE_SHARE));
    await this.#zfs.zfs('create', '-o', 'canmount=off', '-o', `${ROLE}=reserve`, '-o', `reservation=${bytes}`, reserve);
  }

  /** On a full pool, gives the reserve back for as long as the operation takes. */
  async #withReserve<T>(operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      if (!isCode(error, 'NO_SPACE')) throw error;
      return await this.#onReserve(operation);
    }
  }

  async #onReserve<T>(operation: () => Promise<T>): Promise<T> {
    const reserve = childDataset(this.#root, 'reserve');
    const bytes = (await readProperties(this.#zfs, reserve, 0, ['reservation'])).get(reserve)?.get('reservation') ?? 'none';
    await this.#zfs.zfs('set', 'reservation=none', reserve);
    try {
      return await retrying(['NO_SPACE'], operation);
    } finally {
      await this.#zfs.zfs('set', `reservation=${bytes}`, reserve).catch(() => undefined);
    }
  }
}

interface WorkspaceState {
  readonly isOurs: boolean;
  readonly isClone: boolean;
  /** Oldest first. */
  readonly snapshots: readonly SnapshotState[];
}

interface SnapshotState {
  readonly label: string;
  /** 64 bits: a string, a number would be rounded. */
  readonly guid: string;
  /** Orders snapshots where the creation time, in whole seconds, does not. */
  readonly createdInTransaction: number;
  readonly holds: number;
  readonly isOurs: boolean;
  readonly facts: CheckpointFacts;
}

/** `all` would not show guid and createtxg. */
const STATE_PROPERTIES = ['guid', 'createtxg', 'userrefs', 'origin', ROLE, MARK, ...FACT_PROPERTIES];

function snapshotState(label: string, properties: Properties): SnapshotState {
  return {
    label,
    guid: properties.get('guid') ?? '',
    createdInTransaction: Number(properties.get('createtxg')),
    holds: Number(properties.get('userrefs') ?? 0),
    // The mark names the label: a property inherited or copied from elsewhere does not make a snapshot ours.
    isOurs: properties.get(MARK) === label,
    facts: factsFromProperties(properties),
  };
}

function busy(path: string, users: readonly string[], cause?: unknown): SnapshotStoreError {
  const who = users.length === 0 ? 'something that cannot be seen from here, such as a mount in another namespace' : users.join(', ');
  return new SnapshotStoreError('BUSY', `${path} is in use by ${who}`, 'End it, or leave the folder, then try again.', { cause });
}

function isCode(error: unknown, code: SnapshotStoreErrorCode): error is SnapshotStoreError {
  return error instanceof SnapshotStoreError && error.code === code;
}
