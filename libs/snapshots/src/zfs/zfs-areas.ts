import { SnapshotStoreError, type Space, type Workspace } from '#libs/engine';
import { existsSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Areas, type Area, type CheckpointOfArea, type OpenTree, type WorkspaceOfArea } from '../areas.js';
import { releaseMountsBelow } from '../release-mounts.js';
import { inStoreWords, isCode, noArea } from '../store-errors.js';
import { refuseBadWorkspace } from '../store-names.js';
import { Asides } from './asides.js';
import { unmountDatasets } from './dataset-mounts.js';
import { childDataset, type DatasetName } from './dataset-name.js';
import { readProperties } from './dataset-properties.js';
import { createDataset, datasetInfo, endTransactionGroup } from './datasets.js';
import { readRelatives } from './relatives.js';
import { SpaceReserve } from './space-reserve.js';
import {
  AREA,
  ASIDE_OF,
  asideOf,
  foreignDataset,
  readWorkspaceState,
  RESUME_TOKEN,
  ROLE,
} from './workspace-state.js';
import { ZfsCommand } from './zfs-command.js';
import { ZfsSnapshotStore } from './zfs-snapshot-store.js';

export interface ZfsAreasOptions {
  /** Areas are its children. It is made when it is not there. */
  readonly root: DatasetName;
  /** Folders of an empty workspace. */
  readonly layout: readonly string[];
  readonly zfs?: ZfsCommand;
}

/** An area of no job: clones that are made to be read. */
const READ = 'read';

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
    const all = await readProperties(this.#zfs, dataset, 1, ['type', ROLE, ASIDE_OF]);
    const found: string[] = [];
    for (const [child, properties] of all) {
      if (child === dataset || properties.get('type') !== 'filesystem' || asideOf(properties) !== null)
        continue;
      const isOne =
        properties.get(ROLE) === 'workspace' ||
        (await readWorkspaceState(this.#zfs, child as DatasetName))?.isHalf === true;
      if (isOne) found.push(child.slice(dataset.length + 1));
    }
    return found;
  }

  override async rest(name: string): Promise<void> {
    const dataset = this.#dataset(name);
    if ((await this.#find(name)) !== 'ours') return;
    const asides = this.#asides(dataset);
    await asides.repair();
    const workspaces = await this.workspaces(name);
    await unmountDatasets(
      this.#zfs,
      workspaces.map((workspace) => childDataset(dataset, workspace)),
    );
    await asides.sweep();
    await this.#dropOldPartials(dataset);
  }

  async #dropOldPartials(dataset: DatasetName): Promise<void> {
    if (!(await this.#zfs.canGoOn(dataset))) return;
    const store = this.#store(dataset);
    for (const [child, properties] of await readProperties(this.#zfs, dataset, 1, [RESUME_TOKEN])) {
      if (child !== dataset && properties.has(RESUME_TOKEN))
        await store.dropOldPartial(child.slice(dataset.length + 1));
    }
  }

  override async fork(
    { area, checkpoint }: CheckpointOfArea,
    { area: into, workspace }: WorkspaceOfArea,
  ): Promise<Workspace> {
    const source = this.#dataset(area);
    if ((await this.#find(area)) !== 'ours') throw noArea(source);
    await this.open(into);
    const store = this.#store(this.#dataset(into));
    if (area === into) return await store.startFrom(checkpoint, workspace);
    return await store.forkFrom(this.#store(source), checkpoint, workspace);
  }

  /** zfs-fuse can show no snapshot in its place, so a clone of it is read. What an earlier process has left of one goes first. */
  override async openTree(from: CheckpointOfArea): Promise<OpenTree> {
    await this.destroy(READ);
    try {
      const { path } = await this.fork(from, { area: READ, workspace: READ });
      return { path, close: async () => this.destroy(READ) };
    } catch (error) {
      await this.destroy(READ);
      throw error;
    }
  }

  override async destroy(name: string): Promise<void> {
    const dataset = this.#dataset(name);
    const found = await this.#find(name);
    if (found === 'foreign') throw foreignDataset(dataset);
    if (found === 'absent') return;
    const store = this.#store(dataset);
    const asides = this.#asides(dataset);
    await asides.repair();
    for (const workspace of await this.workspaces(name)) await store.destroy(workspace);
    await asides.sweep();
    await this.#refuseNeeded(name);
    // Without -r: a child that is not ours stays, and the area with it.
    await this.#zfs.zfsRetrying(['BUSY'], 'destroy', dataset);
    await this.#removeFolder(name);
  }

  /** Throws PINNED for an area that others have gone on from. What is not in its dataset goes all the same. */
  async #refuseNeeded(name: string): Promise<void> {
    const within = (dataset: string): boolean => dataset.startsWith(`${this.#dataset(name)}/`);
    const relatives = await readRelatives(this.#zfs, this.#root);
    const users = relatives.filter((each) => within(each.origin) && !within(each.name));
    if (users.length === 0) return;
    await this.#removeFolder(name);
    const names = new Set(users.map((each) => this.#areaOf(each.name) ?? each.name));
    throw new SnapshotStoreError(
      'PINNED',
      `the area ${name} is still needed by ${[...names].toSorted().join(', ')}, which went on from a checkpoint of it`,
      'It goes after that.',
    );
  }

  #areaOf(dataset: string): string | null {
    return dataset.startsWith(`${this.#root}/`)
      ? (dataset.slice(this.#root.length + 1).split('/')[0] ?? null)
      : null;
  }

  async #removeFolder(name: string): Promise<void> {
    const path = join(await this.#rootPath(), name);
    if (!existsSync(path)) return;
    await releaseMountsBelow(path);
    await inStoreWords(async () => rm(path, { recursive: true, force: true }));
  }

  override async usedBytes(name: string): Promise<number> {
    if ((await this.#find(name)) !== 'ours') return 0;
    const dataset = this.#dataset(name);
    await endTransactionGroup(dataset, this.#zfs);
    return Number((await readProperties(this.#zfs, dataset, 0, ['used'])).get(dataset)?.get('used') ?? 0);
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

  #store(dataset: DatasetName): ZfsSnapshotStore {
    return new ZfsSnapshotStore({
      root: dataset,
      layout: this.#layout,
      zfs: this.#zfs,
      areasRoot: this.#root,
    });
  }

  #asides(dataset: DatasetName): Asides {
    const place = { root: dataset, areasRoot: this.#root };
    return new Asides(this.#zfs, place, new SpaceReserve(this.#zfs, this.#root));
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
