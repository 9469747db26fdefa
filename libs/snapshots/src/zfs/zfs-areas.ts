import { SnapshotStoreError, type Space } from '#libs/engine';
import { existsSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Areas, type Area } from '../areas.js';
import { releaseMountsBelow } from '../release-mounts.js';
import { inStoreWords, isCode } from '../store-errors.js';
import { refuseBadWorkspace } from '../store-names.js';
import { unmountDatasets } from './dataset-mounts.js';
import { childDataset, type DatasetName } from './dataset-name.js';
import { readProperties } from './dataset-properties.js';
import { createDataset, datasetInfo } from './datasets.js';
import { foreignDataset, isReceiving, RECEIVING_WORKSPACE, ROLE } from './workspace-state.js';
import { ZfsCommand } from './zfs-command.js';
import { ZfsSnapshotStore } from './zfs-snapshot-store.js';

/** Holds the area's name. Children inherit it, so it counts only where it names the dataset that has it. */
const AREA = 'org.distrofarm:area';

export interface ZfsAreasOptions {
  /** Areas are its children. It is made when it is not there. */
  readonly root: DatasetName;
  /** Folders of an empty workspace. */
  readonly layout: readonly string[];
  readonly zfs?: ZfsCommand;
}

/**
 * Areas as datasets, never mounted themselves: each workspace is mounted below the root's mount point, and what is no workspace lies there, too. So a
 * process pins its own workspace at the most.
 */
export class ZfsAreas extends Areas {
  override readonly kind = 'zfs';
  override readonly description: string;
  readonly #root: DatasetName;
  readonly #layout: readonly string[];
  readonly #zfs: ZfsCommand;

  constructor({ root, layout, zfs = new ZfsCommand() }: ZfsAreasOptions) {
    super();
    this.#root = root;
    this.#layout = layout;
    this.#zfs = zfs;
    this.description = `ZFS snapshots in ${root}`;
  }

  override async prepare(): Promise<string> {
    await createDataset(this.#root, this.#zfs);
    return await this.#rootPath();
  }

  override async open(name: string): Promise<Area> {
    const dataset = this.#dataset(name);
    const found = await this.#find(name);
    if (found === 'foreign') throw foreignDataset(dataset);
    if (found === 'absent')
      await this.#zfs.zfs('create', '-o', 'canmount=off', '-o', `${AREA}=${name}`, dataset);
    const path = join(await this.#rootPath(), name);
    await inStoreWords(async () => {
      await mkdir(path, { recursive: true });
      await chmod(path, 0o755);
    });
    return { name, path, store: this.#store(dataset) };
  }

  override async list(): Promise<readonly string[]> {
    const all = await readProperties(this.#zfs, this.#root, 1, ['type', AREA]);
    return [...all]
      .map(([dataset, properties]) => ({ name: dataset.slice(this.#root.length + 1), properties }))
      .filter(
        ({ name, properties }) => properties.get('type') === 'filesystem' && properties.get(AREA) === name,
      )
      .map(({ name }) => name);
  }

  override async workspaces(name: string): Promise<readonly string[]> {
    if ((await this.#find(name)) !== 'ours') return [];
    const dataset = this.#dataset(name);
    const all = await readProperties(this.#zfs, dataset, 1, ['type', ROLE, RECEIVING_WORKSPACE]);
    return [...all]
      .filter(
        ([child, properties]) =>
          properties.get('type') === 'filesystem' &&
          (properties.get(ROLE) === 'workspace' || isReceiving(child, properties)),
      )
      .map(([child]) => child.slice(dataset.length + 1));
  }

  override async rest(name: string): Promise<void> {
    const dataset = this.#dataset(name);
    const workspaces = await this.workspaces(name);
    await unmountDatasets(
      this.#zfs,
      workspaces.map((workspace) => childDataset(dataset, workspace)),
    );
  }

  override async destroy(name: string): Promise<void> {
    const dataset = this.#dataset(name);
    const found = await this.#find(name);
    if (found === 'foreign') throw foreignDataset(dataset);
    if (found === 'absent') return;
    const store = this.#store(dataset);
    for (const workspace of await this.workspaces(name)) await store.destroy(workspace);
    // Without -r: a child that is not ours stays, and the area with it.
    await this.#zfs.zfsRetrying(['BUSY'], 'destroy', dataset);
    const path = join(await this.#rootPath(), name);
    if (!existsSync(path)) return;
    await releaseMountsBelow(path);
    await inStoreWords(async () => rm(path, { recursive: true, force: true }));
  }

  override async space(): Promise<Space> {
    return await this.#store(this.#root).space();
  }

  async #find(name: string): Promise<'ours' | 'foreign' | 'absent'> {
    const dataset = this.#dataset(name);
    try {
      const properties = (await readProperties(this.#zfs, dataset, 0, [AREA])).get(dataset);
      return properties?.get(AREA) === name ? 'ours' : 'foreign';
    } catch (error) {
      if (isCode(error, 'NOT_FOUND')) return 'absent';
      throw error;
    }
  }

  /** One reserve for all areas: each its own would keep 64 MB back for every variant that was ever built here. */
  #store(dataset: DatasetName): ZfsSnapshotStore {
    return new ZfsSnapshotStore({
      root: dataset,
      layout: this.#layout,
      zfs: this.#zfs,
      reserveIn: this.#root,
    });
  }

  #dataset(name: string): DatasetName {
    refuseBadWorkspace(name);
    return childDataset(this.#root, name);
  }

  async #rootPath(): Promise<string> {
    const info = await datasetInfo(this.#root, this.#zfs);
    if (info?.mounted === true && info.mountpoint !== null) return info.mountpoint;
    throw new SnapshotStoreError(
      'BACKEND_DOWN',
      `dataset "${this.#root}" is not mounted`,
      `zfs get mountpoint,canmount ${this.#root}`,
    );
  }
}
