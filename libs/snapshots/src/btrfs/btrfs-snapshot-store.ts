import { SnapshotStore, SnapshotStoreError, type Space, type Workspace } from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, rename, rm, rmdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { placeOf, TREE, type CheckpointPlace, type LabelledRecord } from '../checkpoint-records.js';
import { releaseMountsBelow } from '../release-mounts.js';
import { busy, inStoreWords, isCode } from '../store-errors.js';
import { refuseBadFacts } from '../store-facts.js';
import { refuseBadWorkspace } from '../store-names.js';
import { treeUsers } from '../tree-users.js';
import { BtrfsCommand } from './btrfs-command.js';
import { BtrfsRecords, INCOMING, OUTGOING, TAKING } from './btrfs-records.js';
import { frameStream } from './checkpoint-stream.js';
import { syncFolder } from './durable-files.js';
import { receiveTree } from './receive-tree.js';
import {
  deleteSubvolumes,
  isSubvolume,
  nestedSubvolumes,
  readSubvolume,
  untilRoomIsBack,
} from './subvolumes.js';

export interface BtrfsSnapshotStoreOptions {
  /** The build area's folder, on btrfs. Workspaces are in it, checkpoints in its `.checkpoints`. */
  readonly root: string;
  /** Folders of an empty workspace. */
  readonly layout: readonly string[];
  readonly btrfs?: BtrfsCommand;
}

/** What goes when a workspace is started: checkpoints of it, and forks. */
interface Falling {
  readonly dropped: readonly LabelledRecord[];
  readonly forks: readonly string[];
}

interface Arrival {
  readonly sequence: number;
  readonly falling: Falling;
  readonly origin: CheckpointPlace | null;
}

/** A tree to come in a workspace's place. */
interface Successor {
  readonly make: (path: string) => Promise<void>;
  readonly origin: CheckpointPlace | null;
  /** UUID of the subvolume that is there. */
  readonly replaced: string | null;
}

/**
 * Checkpoints as read-only snapshots, workspaces as subvolumes, in a folder of any btrfs. What is in a workspace goes with it, subvolumes that were made
 * there included. Nothing depends on a snapshot, so those of others are never in the way: FOREIGN_SNAPSHOTS and PINNED are not thrown.
 *
 * A checkpoint is on disk when it has been taken, also through a power failure.
 */
export class BtrfsSnapshotStore extends SnapshotStore {
  override readonly description: string;
  readonly #root: string;
  readonly #layout: readonly string[];
  readonly #btrfs: BtrfsCommand;
  readonly #records: BtrfsRecords;

  constructor({ root, layout, btrfs = new BtrfsCommand() }: BtrfsSnapshotStoreOptions) {
    super();
    this.#root = root;
    this.#layout = layout;
    this.#btrfs = btrfs;
    this.#records = new BtrfsRecords(root);
    this.description = `btrfs snapshots in ${this.#records.folder}`;
  }

  override async startEmpty(workspace: string): Promise<Workspace> {
    const path = this.#records.workspacePath(workspace);
    return await inStoreWords(async () => {
      const falling = await this.#falling(workspace, () => true);
      const replaced = await this.#prepare(workspace, falling);
      const make = async (to: string): Promise<void> => this.#makeLayout(to);
      await this.#replace(workspace, { make, origin: null, replaced }, falling);
      return { name: workspace, path };
    });
  }

  override async startFrom(checkpoint: Checkpoint, workspace: string): Promise<Workspace> {
    const path = this.#records.workspacePath(workspace);
    return await inStoreWords(async () => {
      const isRollBack = checkpoint.workspace === workspace;
      const { sequence } = await this.#records.find(checkpoint);
      if (!isRollBack) await this.#records.refuseOrigin(checkpoint, workspace);
      const falling = await this.#falling(workspace, (record) => !isRollBack || record.sequence > sequence);
      const replaced = await this.#prepare(workspace, falling);
      const origin = isRollBack ? await this.#originOf(workspace) : placeOf(checkpoint);
      const make = async (to: string): Promise<void> =>
        this.#snapshot(this.#records.treePath(checkpoint), to);
      await this.#replace(workspace, { make, origin, replaced }, falling);
      return { name: workspace, path };
    });
  }

  /** As `startFrom`, of a checkpoint that the store of another build area on the same file system holds. */
  async forkFrom(source: BtrfsSnapshotStore, checkpoint: Checkpoint, workspace: string): Promise<Workspace> {
    const path = this.#records.workspacePath(workspace);
    return await inStoreWords(async () => {
      await source.#records.find(checkpoint);
      const falling = await this.#falling(workspace, () => true);
      const replaced = await this.#prepare(workspace, falling);
      const make = async (to: string): Promise<void> =>
        source.#records.withHeld(checkpoint, async (tree) => this.#snapshot(tree, to));
      await this.#replace(workspace, { make, origin: null, replaced }, falling);
      return { name: workspace, path };
    });
  }

  /** The checkpoint's own tree, to be read. Throws NOT_FOUND. */
  async treeOf(checkpoint: Checkpoint): Promise<string> {
    return await inStoreWords(async () => {
      await this.#records.find(checkpoint);
      return this.#records.treePath(checkpoint);
    });
  }

  override async take(workspace: string, label: string, facts: CheckpointFacts): Promise<Checkpoint> {
    const path = this.#records.workspacePath(workspace);
    const target = this.#records.checkpointPath({ workspace, label });
    refuseBadFacts(facts);
    return await inStoreWords(async () => {
      if (!(await isSubvolume(path)) || (await this.#records.workspace(workspace)) === null)
        throw new SnapshotStoreError('NOT_FOUND', `there is no workspace ${path}`);
      const taken = await this.#records.list(workspace);
      if (taken.some((record) => record.label === label))
        throw new SnapshotStoreError('EXISTS', `there is a checkpoint "${label}" of ${workspace} already`);
      // It may be half gone.
      await this.#removeHalf(target);
      const record = { id: randomUUID(), sequence: nextSequence(taken), facts };
      await this.#makeCheckpoint(workspace, target, async (taking) => {
        await this.#records.writeCheckpoint(taking, record);
        const looking = this.#refuseNested(path);
        // It is awaited below; until then it may fail.
        looking.catch(() => undefined);
        // The snapshot is on disk when it is made, with all that was written to the workspace and the record: btrfs commits a transaction for it.
        await this.#btrfs.btrfs('subvolume', 'snapshot', '-r', path, join(taking, TREE));
        await looking;
      });
      return { id: record.id, workspace, label, facts };
    });
  }

  override async list(workspace: string): Promise<readonly Checkpoint[]> {
    refuseBadWorkspace(workspace);
    const records = await this.#records.list(workspace);
    return records.map(({ id, label, facts }) => ({ id, workspace, label, facts }));
  }

  /** Nobody can change one: there is no writing to a read-only subvolume. */
  override async isAsTaken({ workspace, id }: Checkpoint): Promise<boolean> {
    return (await this.list(workspace)).some((each) => each.id === id);
  }

  override async destroy(workspace: string): Promise<void> {
    refuseBadWorkspace(workspace);
    await inStoreWords(async () => {
      const falling = await this.#falling(workspace, () => true);
      await this.#refuseInTheWay([workspace, ...falling.forks]);
      for (const each of [...falling.forks, workspace]) await this.#forget(each);
      if (await isSubvolume(this.#records.folder)) await untilRoomIsBack(this.#btrfs, this.#root);
    });
  }

  override async space(): Promise<Space> {
    return await inStoreWords(async () => {
      const { bsize, bavail, blocks, bfree } = await statfs(this.#root);
      return { freeBytes: bavail * bsize, usedBytes: (blocks - bfree) * bsize };
    });
  }

  override async send(checkpoint: Checkpoint, base: Checkpoint | null): Promise<Readable> {
    await this.#records.find(checkpoint);
    if (base !== null) await this.#records.find(base);
    const from = base === null ? [] : ['-p', this.#records.treePath(base)];
    const tree = this.#records.treePath(checkpoint);
    const times = await inStoreWords(async () => lstat(tree, { bigint: true }));
    return frameStream(this.#btrfs.send(...from, tree), { checkpoint, base, times });
  }

  /** btrfs finds out while it sends. */
  override async estimateSend(checkpoint: Checkpoint, base: Checkpoint | null): Promise<number | null> {
    for (const each of [checkpoint, base]) if (each !== null) await this.#records.find(each);
    return null;
  }

  /** Nothing of a stream that broke off is kept. */
  override partial(): Promise<null> {
    return Promise.resolve(null);
  }

  override sendRest(): Promise<null> {
    return Promise.resolve(null);
  }

  /** What comes is received beside what is there, and takes its place when it is whole. */
  override async receive(checkpoint: Checkpoint, base: Checkpoint | null, stream: Readable): Promise<void> {
    try {
      const { workspace, label } = checkpoint;
      const target = this.#records.checkpointPath({ workspace, label });
      refuseBadFacts(checkpoint.facts);
      await inStoreWords(async () => {
        const { sequence, falling, origin } = await this.#arrival(checkpoint, base);
        await this.#prepare(workspace, falling);
        await this.#makeCheckpoint(workspace, target, async (taking) => {
          const from = base === null ? null : { ...base, tree: this.#records.treePath(base) };
          await receiveTree(this.#btrfs, stream, {
            checkpoint,
            base: from,
            top: this.#records.folder,
            folder: taking,
          });
          const record = { id: checkpoint.id, sequence, facts: checkpoint.facts };
          await this.#records.writeCheckpoint(taking, record);
          const replaced = await this.#refuseInTheWay([workspace, ...falling.forks]);
          // This, too, commits a transaction, and before that what there is of the tree is written out.
          const make = async (to: string): Promise<void> => this.#snapshot(join(taking, TREE), to);
          await this.#makeIncoming(workspace, { make, origin, replaced });
          await this.#swap(workspace);
          await this.#dropAll(workspace, falling);
        });
        await this.#awaitRoom();
      });
    } finally {
      stream.destroy();
    }
  }

  /** Where a checkpoint from elsewhere belongs, and what goes for it. Throws EXISTS, NOT_FOUND, FAILED. */
  async #arrival({ workspace, label }: Checkpoint, base: Checkpoint | null): Promise<Arrival> {
    const isIncrement = base?.workspace === workspace;
    const last = base === null ? 0 : (await this.#records.find(base)).sequence;
    if (base !== null && !isIncrement) await this.#records.refuseOrigin(base, workspace);
    const records = await this.#records.list(workspace);
    const staying = records.filter(({ sequence }) => isIncrement && sequence <= last);
    if (staying.some((record) => record.label === label))
      throw new SnapshotStoreError('EXISTS', `there is a checkpoint "${label}" of ${workspace} already`);
    const forkedFrom = base === null ? null : placeOf(base);
    return {
      sequence: nextSequence(staying),
      falling: await this.#falling(workspace, ({ sequence }) => !isIncrement || sequence > last),
      origin: isIncrement ? await this.#originOf(workspace) : forkedFrom,
    };
  }

  async #makeLayout(path: string): Promise<void> {
    await this.#btrfs.btrfs('subvolume', 'create', path);
    const folders = this.#layout.map((folder) => join(path, folder));
    for (const folder of folders) await mkdir(folder);
    // Not by mkdir, whose mode the umask takes from.
    for (const folder of [path, ...folders]) await chmod(folder, 0o755);
  }

  async #snapshot(tree: string, path: string): Promise<void> {
    await this.#btrfs.btrfs('subvolume', 'snapshot', tree, path);
  }

  async #originOf(workspace: string): Promise<CheckpointPlace | null> {
    return (await this.#records.workspace(workspace))?.origin ?? null;
  }

  async #falling(workspace: string, isDropped: (record: LabelledRecord) => boolean): Promise<Falling> {
    const dropped = (await this.#records.list(workspace)).filter(isDropped);
    return { dropped, forks: await this.#records.forksOf(workspace, dropped) };
  }

  /**
   * Throws unless all of these may be replaced; then clears away what a crash left of them. Resolves to the UUID of the workspace, `null` where
   * there is none.
   */
  async #prepare(workspace: string, { forks }: Falling): Promise<string | null> {
    const all = [workspace, ...forks] as const;
    await this.#prepareFolder();
    for (const each of all) await this.#putBack(each);
    const uuid = await this.#refuseInTheWay(all);
    for (const each of all) await this.#clearHalves(each);
    return uuid;
  }

  async #prepareFolder(): Promise<void> {
    const { folder } = this.#records;
    if (!existsSync(folder)) await this.#btrfs.btrfs('subvolume', 'create', folder);
    if (!(await isSubvolume(folder))) throw foreign(folder);
    await chmod(folder, 0o700);
  }

  /** Where the end came between the two renames of a swap. */
  async #putBack(workspace: string): Promise<void> {
    const path = this.#records.workspacePath(workspace);
    const outgoing = this.#records.home(workspace, OUTGOING);
    if (!existsSync(path) && existsSync(outgoing)) await rename(outgoing, path);
  }

  async #clearHalves(workspace: string): Promise<void> {
    const home = this.#records.home(workspace);
    // Not with "recursive", where a full file system is told as ENOENT.
    if (!existsSync(home)) await mkdir(home, { mode: 0o700 });
    await deleteSubvolumes(this.#btrfs, join(home, INCOMING), join(home, OUTGOING));
    for (const half of [join(home, TAKING), ...(await this.#records.remains(workspace))])
      await this.#removeHalf(half);
  }

  async #removeHalf(folder: string): Promise<void> {
    if (!existsSync(folder)) return;
    await deleteSubvolumes(this.#btrfs, ...(await this.#btrfs.findSubvolumes(folder)));
    await this.#btrfs.removeTree(folder);
  }

  /** Resolves to the UUID of the first one. */
  async #refuseInTheWay([workspace, ...forks]: readonly [string, ...string[]]): Promise<string | null> {
    const uuid = await this.#refuseForeign(workspace);
    for (const fork of forks) await this.#refuseForeign(fork);
    for (const each of [workspace, ...forks]) await this.#refuseBusy(each);
    return uuid;
  }

  /** Resolves to the UUID of the workspace, `null` where there is none. */
  async #refuseForeign(workspace: string): Promise<string | null> {
    const path = this.#records.workspacePath(workspace);
    if ((await lstat(path).catch(() => null)) === null) return null;
    const record = await this.#records.workspace(workspace);
    const found = (await isSubvolume(path)) ? await readSubvolume(this.#btrfs, path) : null;
    if (found === null || record?.subvolumes.includes(found.uuid) !== true) throw foreign(path);
    return found.uuid;
  }

  async #refuseBusy(workspace: string): Promise<void> {
    const path = this.#records.workspacePath(workspace);
    await releaseMountsBelow(path);
    const users = await treeUsers(path);
    if (users.length > 0) throw busy(path, users);
  }

  /** A snapshot has an empty folder where there is another subvolume: a checkpoint would lose what is in it. */
  async #refuseNested(path: string): Promise<void> {
    const nested = await nestedSubvolumes(this.#btrfs, path);
    if (nested.length === 0) return;
    throw new SnapshotStoreError(
      'FAILED',
      `there are subvolumes in ${path}, which a checkpoint of it cannot hold: ${nested.join(', ')}`,
      'Let the step make a folder there, or delete the subvolume at its end.',
    );
  }

  /**
   * Puts a new tree in the workspace's place, and drops what falls with the old one; until then that, and all checkpoints, are untouched. Only where there is no
   * room for both, the old ones, which nobody wants any more, go first.
   */
  async #replace(workspace: string, successor: Successor, falling: Falling): Promise<void> {
    let left = falling;
    try {
      await inStoreWords(async () => this.#makeIncoming(workspace, successor));
    } catch (error) {
      if (!isCode(error, 'NO_SPACE')) throw error;
      await this.#dropAll(workspace, falling);
      left = NOTHING;
      await deleteSubvolumes(this.#btrfs, this.#records.workspacePath(workspace));
      await untilRoomIsBack(this.#btrfs, this.#root);
      await this.#makeIncoming(workspace, successor);
    }
    await this.#swap(workspace);
    await this.#dropAll(workspace, left);
    await this.#awaitRoom();
  }

  async #makeIncoming(workspace: string, { make, origin, replaced }: Successor): Promise<void> {
    const incoming = this.#records.home(workspace, INCOMING);
    try {
      await make(incoming);
      const made = await readSubvolume(this.#btrfs, incoming);
      const subvolumes = [made?.uuid ?? null, replaced].filter((uuid) => uuid !== null);
      await this.#records.writeWorkspace(workspace, { subvolumes, origin });
    } catch (error) {
      await deleteSubvolumes(this.#btrfs, incoming);
      throw error;
    }
  }

  /** The old tree stays as a half, to be dropped with what else goes. */
  async #swap(workspace: string): Promise<void> {
    const path = this.#records.workspacePath(workspace);
    if (existsSync(path)) await rename(path, this.#records.home(workspace, OUTGOING));
    await rename(this.#records.home(workspace, INCOMING), path);
  }

  /** From the end of `fill` on the checkpoint exists: all of it, or, after a crash, none. */
  async #makeCheckpoint(
    workspace: string,
    target: string,
    fill: (taking: string) => Promise<void>,
  ): Promise<void> {
    const taking = this.#records.home(workspace, TAKING);
    try {
      await this.#removeHalf(taking);
      await mkdir(taking, { mode: 0o700 });
      await fill(taking);
      await rename(taking, target);
      await syncFolder(this.#records.home(workspace));
    } catch (error) {
      await this.#removeHalf(taking);
      await this.#awaitRoom();
      throw error;
    }
  }

  /** Drops checkpoints of a workspace, what came from them, and a tree that was swapped out. */
  async #dropAll(workspace: string, { dropped, forks }: Falling): Promise<void> {
    for (const fork of forks) await this.#forget(fork);
    const folders = dropped
      .map(({ label }) => this.#records.checkpointPath({ workspace, label }))
      .toReversed();
    // The record first: what is half gone is no checkpoint any more.
    for (const folder of folders) await rm(this.#records.recordPath(folder), { force: true });
    const trees = folders.map((folder) => join(folder, TREE));
    await deleteSubvolumes(this.#btrfs, this.#records.home(workspace, OUTGOING), ...trees);
    for (const folder of folders) await rmdir(folder);
  }

  /** Removes a workspace with all that is its own. */
  async #forget(workspace: string): Promise<void> {
    const home = this.#records.home(workspace);
    await deleteSubvolumes(this.#btrfs, this.#records.workspacePath(workspace));
    if (!existsSync(home)) return;
    await this.#dropAll(workspace, { dropped: await this.#records.list(workspace), forks: [] });
    await this.#removeHalf(home);
  }

  /** Where room is short, what was dropped has to be room again before somebody needs it. Elsewhere nobody waits. */
  async #awaitRoom(): Promise<void> {
    const { freeBytes, usedBytes } = await this.space();
    if (freeBytes < SHORT_OF_ROOM * (freeBytes + usedBytes)) await untilRoomIsBack(this.#btrfs, this.#root);
  }
}

const SHORT_OF_ROOM = 0.25;
const NOTHING: Falling = { dropped: [], forks: [] };

function nextSequence(records: readonly LabelledRecord[]): number {
  return (records.at(-1)?.sequence ?? 0) + 1;
}

function foreign(path: string): SnapshotStoreError {
  return new SnapshotStoreError(
    'FOREIGN_DATA',
    `${path} was not made by distro_const as a btrfs subvolume, and what is in it would be lost`,
    'Move it away, or name another build area.',
  );
}
