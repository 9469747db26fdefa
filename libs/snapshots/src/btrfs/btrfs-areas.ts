import { SnapshotStoreError, type Space, type Workspace } from '#libs/engine';
import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Areas, type Area, type CheckpointOfArea, type OpenTree, type WorkspaceOfArea } from '../areas.js';
import { openInPlace } from '../open-in-place.js';
import { releaseMountsBelow } from '../release-mounts.js';
import { busy, inStoreWords, noArea } from '../store-errors.js';
import { refuseBadWorkspace } from '../store-names.js';
import { treeUsers } from '../tree-users.js';
import { BtrfsCommand } from './btrfs-command.js';
import { isBtrfsFolder } from './btrfs-folder.js';
import { BtrfsSnapshotStore } from './btrfs-snapshot-store.js';
import { BtrfsRecords } from './btrfs-records.js';
import { readJson } from '../read-json.js';
import { writeJsonDurably } from './durable-files.js';
import { deleteSubvolumes, untilRoomIsBack } from './subvolumes.js';

const RECORD = '.area.json';

/** In the area: which folder it was made as, so that a copy of it, or another one of its name, is not taken for it. */
interface AreaRecord {
  readonly name: string;
  /** Inode and time of birth. */
  readonly folder: string;
}

export interface BtrfsAreasOptions {
  /** An absolute path on btrfs. Areas are its folders. It is made when it is not there. */
  readonly root: string;
  /** Folders of an empty workspace. */
  readonly layout: readonly string[];
  readonly btrfs?: BtrfsCommand;
}

/** Areas as folders on btrfs; the workspaces in them are subvolumes. Areas of DirectoryAreas are listed and destroyed as well, but not worked in. */
export class BtrfsAreas extends Areas {
  override readonly kind = 'btrfs';
  override readonly description: string;
  readonly #root: string;
  readonly #layout: readonly string[];
  readonly #btrfs: BtrfsCommand;

  constructor({ root, layout, btrfs = new BtrfsCommand() }: BtrfsAreasOptions) {
    super();
    this.#root = root;
    this.#layout = layout;
    this.#btrfs = btrfs;
    this.description = `btrfs snapshots in ${root}`;
  }

  override async prepare(): Promise<string> {
    await inStoreWords(async () => mkdir(this.#root, { recursive: true, mode: 0o755 }));
    if (await isBtrfsFolder(this.#root, this.#btrfs)) return this.#root;
    throw new SnapshotStoreError(
      'BACKEND_DOWN',
      `no subvolumes can be made in ${this.#root}`,
      'Mount a btrfs there, and install btrfs-progs.',
    );
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
    return await new BtrfsRecords(this.#path(name)).workspaces();
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
    await inStoreWords(async () => {
      await releaseMountsBelow(path);
      const users = await treeUsers(path);
      if (users.length > 0) throw busy(path, users);
      await deleteSubvolumes(this.#btrfs, ...(await this.#btrfs.findSubvolumes(path)));
      await this.#btrfs.removeTree(path);
      await untilRoomIsBack(this.#btrfs, this.#root);
    });
  }

  /** btrfs-filesystem(8), du: what only the area has, and what its files share among each other or with another area. */
  override async usedBytes(name: string): Promise<number> {
    if (!(await this.#isOurs(name))) return 0;
    return parseUsage(await this.#btrfs.btrfs('filesystem', 'du', '--summarize', '--raw', this.#path(name)));
  }

  override async space(): Promise<Space> {
    return await new BtrfsSnapshotStore({ root: this.#root, layout: this.#layout }).space();
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
    await writeJsonDurably(join(path, RECORD), record);
  }

  async #isOurs(name: string): Promise<boolean> {
    const path = this.#path(name);
    const record = await readJson<AreaRecord>(join(path, RECORD));
    return record !== null && record.name === name && record.folder === (await identifyFolder(path));
  }

  #store(name: string): BtrfsSnapshotStore {
    return new BtrfsSnapshotStore({ root: this.#path(name), layout: this.#layout, btrfs: this.#btrfs });
  }

  #path(name: string): string {
    refuseBadWorkspace(name);
    return join(this.#root, name);
  }
}

/** `total exclusive set-shared path`, below a line of titles. */
function parseUsage(output: string): number {
  const [, exclusive = '0', shared = '0'] = /^\s*\d+\s+(\d+)\s+(\d+)\s/m.exec(output) ?? [];
  return Number(exclusive) + Number(shared);
}

async function identifyFolder(path: string): Promise<string | null> {
  const found = await lstat(path, { bigint: true }).catch(() => null);
  return found === null ? null : `${found.ino} ${found.birthtimeNs}`;
}

function foreignFolder(path: string): SnapshotStoreError {
  return new SnapshotStoreError(
    'FOREIGN_DATA',
    `${path} was not made by distrofarm, and what is in it would be lost`,
    'Move it away.',
  );
}
