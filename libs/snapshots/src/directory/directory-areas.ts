import { SnapshotStoreError, type Space, type Workspace } from '#libs/engine';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Areas, type Area, type CheckpointOfArea, type OpenTree, type WorkspaceOfArea } from '../areas.js';
import { openInPlace } from '../open-in-place.js';
import { releaseMountsBelow } from '../release-mounts.js';
import { busy, inStoreWords, noArea } from '../store-errors.js';
import { refuseBadWorkspace } from '../store-names.js';
import { treeUsers } from '../tree-users.js';
import { removeTrees, treeUsage } from './copy-tree.js';
import { DirectorySnapshotStore } from './directory-snapshot-store.js';
import { readJson } from '../read-json.js';
import { identifyFolder, writeJson, type FolderIdentity } from './workspace-record.js';

const RECORD = '.area.json';

/** In the area: which folder it was made as, so that a copy of it, or another one of its name, is not taken for it. */
interface AreaRecord {
  readonly name: string;
  readonly folder: FolderIdentity;
}

export interface DirectoryAreasOptions {
  /** An absolute path. Areas are its folders. It is made when it is not there. */
  readonly root: string;
  /** Folders of an empty workspace. */
  readonly layout: readonly string[];
}

/** Areas as folders, for agents without ZFS. */
export class DirectoryAreas extends Areas {
  override readonly kind = 'directory';
  override readonly description: string;
  readonly #root: string;
  readonly #layout: readonly string[];

  constructor({ root, layout }: DirectoryAreasOptions) {
    super();
    this.#root = root;
    this.#layout = layout;
    this.description = `copies in ${root}, sharing what did not change`;
  }

  override async prepare(): Promise<string> {
    await inStoreWords(async () => mkdir(this.#root, { recursive: true, mode: 0o755 }));
    return this.#root;
  }

  override async open(name: string): Promise<Area> {
    const path = this.#path(name);
    await inStoreWords(async () => {
      if (existsSync(path) && !(await this.#isOurs(name))) await this.#adopt(name);
      if (!existsSync(path)) await this.#make(name);
    });
    return { name, path, store: this.#store(name) };
  }

  override async list(): Promise<readonly string[]> {
    const entries = await inStoreWords(async () => readdir(this.#root, { withFileTypes: true }));
    const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    const areOurs = await Promise.all(names.map((name) => this.#isOurs(name)));
    return names.filter((_, index) => areOurs[index] === true);
  }

  override async workspaces(name: string): Promise<readonly string[]> {
    if (!(await this.#isOurs(name))) return [];
    return await readdir(join(this.#path(name), '.checkpoints')).catch(() => []);
  }

  override async rest(name: string): Promise<void> {
    for (const workspace of await this.workspaces(name)) {
      await releaseMountsBelow(join(this.#path(name), workspace));
    }
  }

  override async fork(
    { area, checkpoint }: CheckpointOfArea,
    { area: into, workspace }: WorkspaceOfArea,
  ): Promise<Workspace> {
    if (!(await this.#isOurs(area))) throw noArea(this.#path(area));
    await this.open(into);
    const store = this.#store(into);
    if (area === into) return await store.startFrom(checkpoint, workspace);
    return await store.forkFrom(this.#store(area), checkpoint, workspace);
  }

  override async openTree({ area, checkpoint }: CheckpointOfArea): Promise<OpenTree> {
    if (!(await this.#isOurs(area))) throw noArea(this.#path(area));
    return await openInPlace(this.#store(area), checkpoint);
  }

  override async destroy(name: string): Promise<void> {
    const path = this.#path(name);
    if (!existsSync(path)) return;
    if (!(await this.#isOurs(name))) throw foreignFolder(path);
    await releaseMountsBelow(path);
    const users = await treeUsers(path);
    if (users.length > 0) throw busy(path, users);
    const store = this.#store(name);
    for (const workspace of await this.workspaces(name)) await store.destroy(workspace);
    await removeTrees(path);
  }

  /** What several checkpoints share counts once; what another area shares by reflinks counts as well. */
  override async usedBytes(name: string): Promise<number> {
    return (await this.#isOurs(name)) ? await treeUsage(this.#path(name)) : 0;
  }

  override async space(): Promise<Space> {
    return await new DirectorySnapshotStore({ root: this.#root, layout: this.#layout }).space();
  }

  async #make(name: string): Promise<void> {
    const path = this.#path(name);
    await mkdir(path);
    await chmod(path, 0o755);
    await this.#sign(name);
  }

  /** The end of the process may have come between the folder and its record: an empty folder can be nobody's loss. */
  async #adopt(name: string): Promise<void> {
    const path = this.#path(name);
    if ((await readdir(path)).some((entry) => !entry.startsWith(RECORD))) throw foreignFolder(path);
    await this.#sign(name);
  }

  async #sign(name: string): Promise<void> {
    const path = this.#path(name);
    const record: AreaRecord = { name, folder: (await identifyFolder(path)) ?? '' };
    await writeJson(join(path, RECORD), record);
  }

  async #isOurs(name: string): Promise<boolean> {
    const path = this.#path(name);
    const record = await readJson<AreaRecord>(join(path, RECORD));
    return record !== null && record.name === name && record.folder === (await identifyFolder(path));
  }

  #store(name: string): DirectorySnapshotStore {
    return new DirectorySnapshotStore({ root: this.#path(name), layout: this.#layout });
  }

  #path(name: string): string {
    refuseBadWorkspace(name);
    return join(this.#root, name);
  }
}

function foreignFolder(path: string): SnapshotStoreError {
  return new SnapshotStoreError(
    'FOREIGN_DATA',
    `${path} was not made by distrofarm, and what is in it would be lost`,
    'Move it away.',
  );
}
