import { SnapshotStore, SnapshotStoreError, type Space, type Workspace } from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { releaseMountsBelow } from '../release-mounts.js';
import { busy, inStoreWords, isCode } from '../store-errors.js';
import { readJson } from '../read-json.js';
import { refuseBadFacts } from '../store-facts.js';
import { refuseBadWorkspace } from '../store-names.js';
import { treeUsers } from '../tree-users.js';
import {
  placeOf,
  TREE,
  WORKSPACE_RECORD,
  type CheckpointPlace,
  type CheckpointRecord,
  type LabelledRecord,
} from '../checkpoint-records.js';
import {
  copyEntries,
  copyTree,
  findEntries,
  linkTree,
  removeEntries,
  removeTrees,
  sealOf,
} from './copy-tree.js';
import {
  DirectoryRecords,
  DROPPING,
  HALVES,
  INCOMING,
  INDEX,
  OUTGOING,
  RECEIVING,
  TAKING,
  type Beginning,
} from './directory-records.js';
import { compareIndexes, parseIndex, settled } from './tree-index.js';
import { type KeptTree, receiveTree, sendTree, sizeOfTree } from './tree-transfer.js';
import { identifyFolder, writeJson, type KeptPlace, type WorkspaceRecord } from './workspace-record.js';

export interface DirectorySnapshotStoreOptions {
  /** The build area's folder. Workspaces are in it, checkpoints in its `.checkpoints`. */
  readonly root: string;
  /** Folders of an empty workspace. */
  readonly layout: readonly string[];
}

/**
 * Checkpoints as copies, for build areas that are no ZFS dataset. The first one costs a copy of the tree; each later one shares the files that
 * nobody touched since the last with it (hard links between checkpoints, which nobody writes to), so that it costs a walk over the tree and a
 * copy of what changed. The workspace itself never shares a file with a checkpoint.
 *
 * A checkpoint survives the end of this process however it comes, but is not forced to disk: after a power failure, build anew.
 */
export class DirectorySnapshotStore extends SnapshotStore {
  override readonly description: string;
  readonly #root: string;
  readonly #records: DirectoryRecords;
  readonly #layout: readonly string[];

  constructor({ root, layout }: DirectorySnapshotStoreOptions) {
    super();
    this.#root = root;
    this.#records = new DirectoryRecords(root);
    this.#layout = layout;
    this.description = `copies in ${join(root, '.checkpoints')}, sharing what did not change`;
  }

  override async startEmpty(workspace: string): Promise<Workspace> {
    refuseBadWorkspace(workspace);
    return await inStoreWords(async () => {
      const beginning = await this.#records.beginning(workspace, null);
      await this.#prepare(beginning);
      await this.#replace(workspace, async (incoming) => this.#makeLayout(incoming), null);
      await this.#dropAll(beginning);
      return { name: workspace, path: this.#records.workspacePath(workspace) };
    });
  }

  override async startFrom(checkpoint: Checkpoint, workspace: string): Promise<Workspace> {
    refuseBadWorkspace(workspace);
    return await inStoreWords(async () => {
      const beginning = await this.#records.beginning(workspace, checkpoint);
      return await this.#start(beginning, placeOf(checkpoint), async (incoming) => {
        await copyTree(this.#records.treePath(checkpoint), incoming);
      });
    });
  }

  /** As `startFrom`, of a checkpoint that the store of another build area holds. */
  async forkFrom(
    source: DirectorySnapshotStore,
    checkpoint: Checkpoint,
    workspace: string,
  ): Promise<Workspace> {
    refuseBadWorkspace(workspace);
    return await inStoreWords(async () => {
      await source.#records.find(checkpoint);
      const beginning = await this.#records.beginning(workspace, null);
      const base = { ...placeOf(checkpoint), root: source.#root };
      return await this.#start(beginning, base, async (incoming) => {
        await source.#records.withHeld(checkpoint, async (tree) => copyTree(tree, incoming));
      });
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
    refuseBadWorkspace(workspace);
    const target = this.#records.checkpointPath({ workspace, label });
    refuseBadFacts(facts);
    if (existsSync(target))
      throw new SnapshotStoreError('EXISTS', `there is a checkpoint "${label}" of ${workspace} already`);
    return await inStoreWords(async () => {
      await this.#makeReceived(workspace);
      const last = (await this.#records.list(workspace)).at(-1)?.sequence ?? 0;
      const id = randomUUID();
      const checkpoint = { id, workspace, label, facts };
      const taking = this.#records.home(workspace, TAKING);
      await removeTrees(taking);
      try {
        const listing = await this.#listing(workspace);
        await mkdir(taking, { mode: 0o700 });
        await this.#copyWorkspace(workspace, listing.entries, join(taking, TREE));
        const seal = await sealOf(join(taking, TREE));
        const record: CheckpointRecord = { id, sequence: last + 1, facts, seal };
        await writeJson(this.#records.recordPath(taking), record);
        // From here on the checkpoint exists: all of it, or, after a crash, none.
        await rename(taking, target);
        await this.#remember(workspace, listing, placeOf(checkpoint));
      } catch (error) {
        await removeTrees(taking);
        throw error;
      }
      return checkpoint;
    });
  }

  override async list(workspace: string): Promise<readonly Checkpoint[]> {
    refuseBadWorkspace(workspace);
    return (await this.#records.list(workspace)).map(({ id, label, facts }) => ({
      id,
      workspace,
      label,
      facts,
    }));
  }

  override async isAsTaken(checkpoint: Checkpoint): Promise<boolean> {
    return await inStoreWords(async () => {
      const { id, workspace, label } = checkpoint;
      const found = (await this.#records.list(workspace)).find((each) => each.label === label);
      if (found?.id !== id) return false;
      const { seal } = found;
      // Received, or taken by an older version.
      if (seal === undefined) return true;
      // Half a tree, or none, cannot be listed.
      return seal === (await sealOf(this.#records.treePath(checkpoint)).catch(() => null));
    });
  }

  override async destroy(workspace: string): Promise<void> {
    refuseBadWorkspace(workspace);
    await inStoreWords(async () => {
      const beginning = await this.#records.beginning(workspace, null);
      await this.#prepare(beginning);
      await this.#dropAll(beginning);
      await removeTrees(this.#records.workspacePath(workspace), this.#records.home(workspace));
    });
  }

  override async space(): Promise<Space> {
    return await inStoreWords(async () => {
      const { bsize, bavail, blocks, bfree } = await statfs(this.#root);
      return { freeBytes: bavail * bsize, usedBytes: (blocks - bfree) * bsize };
    });
  }

  override async send(checkpoint: Checkpoint, base: Checkpoint | null): Promise<Readable> {
    return await inStoreWords(async () => sendTree(...(await this.#treesToSend(checkpoint, base))));
  }

  override async estimateSend(checkpoint: Checkpoint, base: Checkpoint | null): Promise<number> {
    return await inStoreWords(async () => sizeOfTree(...(await this.#treesToSend(checkpoint, base))));
  }

  async #treesToSend(
    checkpoint: Checkpoint,
    base: Checkpoint | null,
  ): Promise<readonly [tree: KeptTree, base: KeptTree | null]> {
    for (const each of [checkpoint, base]) if (each !== null) await this.#records.find(each);
    return [this.#records.treeOf(checkpoint), base === null ? null : this.#records.treeOf(base)];
  }

  /** Nothing of a stream that broke off is kept. */
  override partial(): Promise<null> {
    return Promise.resolve(null);
  }

  override sendRest(): Promise<null> {
    return Promise.resolve(null);
  }

  override async receive(checkpoint: Checkpoint, base: Checkpoint | null, stream: Readable): Promise<void> {
    // It is told where the stream is read; nobody may be reading when it happens.
    stream.on('error', () => undefined);
    try {
      refuseBadWorkspace(checkpoint.workspace);
      refuseBadFacts(checkpoint.facts);
      await inStoreWords(async () => this.#receive(checkpoint, base, stream));
    } finally {
      stream.destroy();
    }
  }

  /** Until the stream is whole everything is as it was, and until it is renamed the checkpoint is not there. */
  async #receive(
    { id, workspace, label, facts }: Checkpoint,
    base: Checkpoint | null,
    stream: Readable,
  ): Promise<void> {
    const target = this.#records.checkpointPath({ workspace, label });
    const beginning = await this.#records.beginning(workspace, base);
    if (beginning.kept.some((record) => record.label === label))
      throw new SnapshotStoreError('EXISTS', `there is a checkpoint "${label}" of ${workspace} already`);
    await this.#prepare(beginning);
    const receiving = this.#records.home(workspace, RECEIVING);
    try {
      await mkdir(receiving, { mode: 0o700 });
      await receiveTree(stream, { id, base: base === null ? null : this.#records.treeOf(base) }, receiving);
      const record: CheckpointRecord = { id, sequence: (beginning.kept.at(-1)?.sequence ?? 0) + 1, facts };
      await writeJson(this.#records.recordPath(receiving), record);
      await this.#begin(workspace, base);
      await rename(receiving, target);
    } catch (error) {
      await removeTrees(receiving);
      // What nobody wants any more makes room for the next try.
      if (isCode(await asStoreError(error), 'NO_SPACE')) await this.#begin(workspace, base);
      throw error;
    }
  }

  async #start(
    beginning: Beginning,
    base: KeptPlace,
    make: (incoming: string) => Promise<void>,
  ): Promise<Workspace> {
    const { workspace, origin } = beginning;
    await this.#prepare(beginning);
    await this.#replace(workspace, make, origin);
    await this.#dropAll(beginning);
    await this.#remember(workspace, await this.#listing(workspace), base);
    return { name: workspace, path: this.#records.workspacePath(workspace) };
  }

  async #makeLayout(path: string): Promise<void> {
    const folders = [path, ...this.#layout.map((folder) => join(path, folder))];
    for (const folder of folders) {
      await mkdir(folder);
      // Not by mkdir, whose mode the umask takes from.
      await chmod(folder, 0o755);
    }
  }

  /** Throws unless all that goes may go; then clears away what a crash left of it. */
  async #prepare(beginning: Beginning): Promise<void> {
    await this.#refuseInTheWay(beginning);
    for (const workspace of [beginning.workspace, ...beginning.falling]) await this.#clearHalves(workspace);
  }

  async #refuseInTheWay({ workspace, falling }: Beginning): Promise<void> {
    for (const each of [workspace, ...falling]) await this.#refuseForeign(each);
    for (const each of [workspace, ...falling]) await this.#refuseBusy(each);
  }

  /** Brings the workspace back to where it starts, without its folder: that is made when somebody wants to work in it. */
  async #begin(workspace: string, start: Checkpoint | null): Promise<void> {
    // Time has passed while the stream was read: somebody may have come, and the start may be gone.
    const beginning = await this.#records.beginning(workspace, start);
    await this.#refuseInTheWay(beginning);
    await this.#discard(this.#records.workspacePath(workspace), workspace);
    await this.#writeRecord(workspace, { folders: [], origin: beginning.origin, base: null });
    await this.#dropAll(beginning);
  }

  /** Where nobody has started from what was received last, the workspace is still to be made of that. One whose folder somebody removed is not. */
  async #makeReceived(workspace: string): Promise<void> {
    const newest = (await this.list(workspace)).at(-1);
    const isReceived = (await this.#records.workspace(workspace))?.folders.length === 0;
    if (isReceived && newest !== undefined) await this.startFrom(newest, workspace);
  }

  async #clearHalves(workspace: string): Promise<void> {
    const home = this.#records.home(workspace);
    await mkdir(home, { recursive: true, mode: 0o700 });
    await chmod(dirname(home), 0o700);
    const path = this.#records.workspacePath(workspace);
    // The end came between the two renames of a swap: back to what was.
    if (!existsSync(path) && existsSync(join(home, OUTGOING))) await rename(join(home, OUTGOING), path);
    await removeTrees(...HALVES.map((half) => join(home, half)));
  }

  async #refuseForeign(workspace: string): Promise<void> {
    const path = this.#records.workspacePath(workspace);
    const found = await identifyFolder(path);
    if (found === null) return;
    const record = await this.#records.workspace(workspace);
    if (record?.folders.includes(found) === true) return;
    throw new SnapshotStoreError(
      'FOREIGN_DATA',
      `${path} was not made by distro_const, and what is in it would be lost`,
      'Move it away, or name another build area.',
    );
  }

  async #refuseBusy(workspace: string): Promise<void> {
    const path = this.#records.workspacePath(workspace);
    await releaseMountsBelow(path);
    const users = await treeUsers(path);
    if (users.length > 0) throw busy(path, users);
  }

  /**
   * Puts a new tree in the workspace's place; until then the old one, and all checkpoints, are untouched. Only where there is no room for both,
   * the old one, which nobody wants any more, goes first.
   */
  async #replace(
    workspace: string,
    make: (incoming: string) => Promise<void>,
    origin: CheckpointPlace | null,
  ): Promise<void> {
    try {
      await this.#swapIn(workspace, make, origin);
    } catch (error) {
      if (!isCode(await asStoreError(error), 'NO_SPACE')) throw error;
      await this.#clearHalves(workspace);
      await this.#discard(this.#records.workspacePath(workspace), workspace);
      await this.#swapIn(workspace, make, origin);
    }
  }

  async #swapIn(
    workspace: string,
    make: (incoming: string) => Promise<void>,
    origin: CheckpointPlace | null,
  ): Promise<void> {
    const path = this.#records.workspacePath(workspace);
    const incoming = this.#records.home(workspace, INCOMING);
    const outgoing = this.#records.home(workspace, OUTGOING);
    try {
      await make(incoming);
      const folders = [await identifyFolder(incoming), await identifyFolder(path)].filter(
        (folder) => folder !== null,
      );
      await this.#writeRecord(workspace, { folders, origin, base: null });
    } catch (error) {
      await removeTrees(incoming);
      throw error;
    }
    if (existsSync(path)) await rename(path, outgoing);
    await rename(incoming, path);
    await removeTrees(outgoing);
  }

  /** Copies the workspace, as cheaply as what is known about it allows. */
  async #copyWorkspace(workspace: string, listing: Buffer, target: string): Promise<void> {
    const path = this.#records.workspacePath(workspace);
    const shared = await this.#baseTree(workspace);
    if (shared !== null) {
      const changes = compareIndexes(shared.index, parseIndex(listing));
      // Linking a tree to throw most of it away again is slower than copying what is left.
      if (changes.changedFiles <= changes.unchangedFiles) {
        try {
          await linkTree(shared.tree, target);
          await removeEntries(target, changes.removed);
          await copyEntries(path, target, [Buffer.from('.'), ...changes.copied]);
          // That of another area may have gone in the middle of it.
          if (await this.#isHeld(shared.base)) return;
          await removeTrees(target);
        } catch (error) {
          if (isCode(error, 'NO_SPACE')) throw error;
          // Too many links to a file, or a file system that has none: a copy is always right.
          await removeTrees(target);
        }
      }
    }
    await copyTree(path, target);
  }

  /** The checkpoint that the workspace was last equal to, and what the workspace looked like then; `null` when that is not known. */
  async #baseTree(workspace: string): Promise<{
    readonly base: KeptPlace;
    readonly tree: string;
    readonly index: ReadonlyMap<string, string>;
  } | null> {
    const base = (await this.#records.workspace(workspace))?.base ?? null;
    if (base === null || base.folder !== (await identifyFolder(this.#records.workspacePath(workspace))))
      return null;
    if (!(await this.#isHeld(base))) return null;
    return {
      base,
      tree: this.#recordsAt(base).treePath(base),
      index: parseIndex(await readFile(this.#records.home(workspace, INDEX))),
    };
  }

  /** Another one of that name may have been taken since. */
  async #isHeld(place: KeptPlace): Promise<boolean> {
    const records = this.#recordsAt(place);
    const path = records.recordPath(records.checkpointPath(place));
    return (await readJson<CheckpointRecord>(path))?.id === place.id;
  }

  #recordsAt({ root }: KeptPlace): DirectoryRecords {
    return root === undefined ? this.#records : new DirectoryRecords(root);
  }

  /** Throws NOT_FOUND when there is no workspace. */
  async #listing(workspace: string): Promise<Listing> {
    const path = this.#records.workspacePath(workspace);
    const folder = await identifyFolder(path);
    if (folder === null) throw new SnapshotStoreError('NOT_FOUND', `there is no workspace ${path}`);
    const atMs = Date.now();
    return { folder, atMs, entries: await findEntries(path) };
  }

  /** Notes that the workspace, as it was listed, equals the checkpoint. Without room for the note the next checkpoint costs more, no more than that. */
  async #remember(workspace: string, { folder, atMs, entries }: Listing, base: KeptPlace): Promise<void> {
    try {
      const origin = (await this.#records.workspace(workspace))?.origin ?? null;
      await this.#writeRecord(workspace, { folders: [folder], origin, base: null });
      await writeFile(this.#records.home(workspace, INDEX), settled(parseIndex(entries), atMs), {
        mode: 0o600,
      });
      await this.#writeRecord(workspace, {
        folders: [folder],
        origin,
        base: { ...base, folder },
      });
    } catch (error) {
      if (!isCode(await asStoreError(error), 'NO_SPACE')) throw error;
    }
  }

  async #writeRecord(workspace: string, record: WorkspaceRecord): Promise<void> {
    await writeJson(this.#records.home(workspace, WORKSPACE_RECORD), record);
  }

  /** Drops checkpoints of a workspace, and before that what came from them. */
  async #dropAll({ workspace, dropped, falling }: Beginning): Promise<void> {
    for (const fork of falling) {
      await this.#dropCheckpoints(fork, await this.#records.list(fork));
      await removeTrees(this.#records.workspacePath(fork), this.#records.home(fork));
    }
    await this.#dropCheckpoints(workspace, dropped);
  }

  async #dropCheckpoints(workspace: string, dropped: readonly LabelledRecord[]): Promise<void> {
    for (const { label } of dropped.toReversed())
      await this.#discard(this.#records.checkpointPath({ workspace, label }), workspace);
  }

  /** Renamed first: what is removed is there whole or not at all. */
  async #discard(path: string, workspace: string): Promise<void> {
    const dropping = this.#records.home(workspace, DROPPING);
    await removeTrees(dropping);
    if (existsSync(path)) await rename(path, dropping);
    await removeTrees(dropping);
  }
}

interface Listing {
  readonly folder: string;
  readonly atMs: number;
  readonly entries: Buffer;
}

async function asStoreError(error: unknown): Promise<unknown> {
  return await inStoreWords(() => Promise.reject(error as Error)).catch((inWords: unknown) => inWords);
}
