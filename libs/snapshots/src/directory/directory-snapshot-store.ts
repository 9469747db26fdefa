import { SnapshotStore, SnapshotStoreError, type Space, type Workspace } from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { releaseMountsBelow } from '../release-mounts.js';
import { busy, inStoreWords, isCode } from '../store-errors.js';
import { refuseBadFacts } from '../store-facts.js';
import { refuseBadLabel, refuseBadWorkspace } from '../store-names.js';
import { treeUsers } from '../tree-users.js';
import { copyEntries, copyTree, findEntries, linkTree, removeEntries, removeTrees } from './copy-tree.js';
import { compareIndexes, parseIndex, settled } from './tree-index.js';
import {
  identifyFolder,
  readJson,
  writeJson,
  type CheckpointPlace,
  type WorkspaceRecord,
} from './workspace-record.js';

export interface DirectorySnapshotStoreOptions {
  /** The build area's folder. Workspaces are in it, checkpoints in its `.checkpoints`. */
  readonly root: string;
  /** Folders of an empty workspace. */
  readonly layout: readonly string[];
}

/** `.checkpoints/<workspace>/<label>/record.json` */
interface CheckpointRecord {
  readonly id: string;
  readonly sequence: number;
  readonly facts: CheckpointFacts;
}

/**
 * What else is in `.checkpoints/<workspace>`. The last four are halves of something: what a crash left of them goes at the next start. None of
 * them has a record where a checkpoint has it.
 */
const RECORD = '.workspace.json';
const INDEX = '.index';
const INCOMING = '.incoming';
const OUTGOING = '.outgoing';
const TAKING = '.taking';
const DROPPING = '.dropping';
const HALVES = [INCOMING, OUTGOING, TAKING, DROPPING];
const RESERVED = [RECORD, INDEX, ...HALVES];

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
  readonly #layout: readonly string[];

  constructor({ root, layout }: DirectorySnapshotStoreOptions) {
    super();
    this.#root = root;
    this.#layout = layout;
    this.description = `copies in ${join(root, '.checkpoints')}, sharing what did not change`;
  }

  override async startEmpty(workspace: string): Promise<Workspace> {
    refuseBadWorkspace(workspace);
    return await inStoreWords(async () => {
      const falling = await this.#forksOf(workspace, await this.#records(workspace));
      await this.#prepare([workspace, ...falling]);
      await this.#replace(workspace, async (incoming) => this.#makeLayout(incoming), null);
      await this.#dropAll(workspace, await this.#records(workspace), falling);
      return { name: workspace, path: this.#workspacePath(workspace) };
    });
  }

  override async startFrom(checkpoint: Checkpoint, workspace: string): Promise<Workspace> {
    refuseBadWorkspace(workspace);
    return await inStoreWords(async () => {
      const isRollBack = checkpoint.workspace === workspace;
      const { sequence } = await this.#find(checkpoint);
      if (!isRollBack) await this.#refuseOrigin(checkpoint, workspace);
      const own = await this.#records(workspace);
      const dropped = own.filter((record) => !isRollBack || record.sequence > sequence);
      const falling = await this.#forksOf(workspace, dropped);
      await this.#prepare([workspace, ...falling]);
      const tree = join(this.#checkpointPath(checkpoint.workspace, checkpoint.label), 'tree');
      const origin = isRollBack
        ? ((await this.#workspaceRecord(workspace))?.origin ?? null)
        : placeOf(checkpoint);
      await this.#replace(workspace, async (incoming) => copyTree(tree, incoming), origin);
      await this.#dropAll(workspace, dropped, falling);
      await this.#remember(workspace, await this.#listing(workspace), checkpoint);
      return { name: workspace, path: this.#workspacePath(workspace) };
    });
  }

  override async take(workspace: string, label: string, facts: CheckpointFacts): Promise<Checkpoint> {
    refuseBadWorkspace(workspace);
    const target = this.#checkpointPath(workspace, label);
    refuseBadFacts(facts);
    if (existsSync(target))
      throw new SnapshotStoreError('EXISTS', `there is a checkpoint "${label}" of ${workspace} already`);
    return await inStoreWords(async () => {
      const last = (await this.#records(workspace)).at(-1)?.sequence ?? 0;
      const record: CheckpointRecord = { id: randomUUID(), sequence: last + 1, facts };
      const checkpoint = { id: record.id, workspace, label, facts };
      const taking = this.#home(workspace, TAKING);
      await removeTrees(taking);
      try {
        const listing = await this.#listing(workspace);
        await mkdir(taking, { mode: 0o700 });
        await this.#copyWorkspace(workspace, listing.entries, join(taking, 'tree'));
        await writeJson(join(taking, 'record.json'), record);
        // From here on the checkpoint exists: all of it, or, after a crash, none.
        await rename(taking, target);
        await this.#remember(workspace, listing, checkpoint);
      } catch (error) {
        await removeTrees(taking);
        throw error;
      }
      return checkpoint;
    });
  }

  override async list(workspace: string): Promise<readonly Checkpoint[]> {
    refuseBadWorkspace(workspace);
    return (await this.#records(workspace)).map(({ id, label, facts }) => ({ id, workspace, label, facts }));
  }

  override async destroy(workspace: string): Promise<void> {
    refuseBadWorkspace(workspace);
    await inStoreWords(async () => {
      const records = await this.#records(workspace);
      const falling = await this.#forksOf(workspace, records);
      await this.#prepare([workspace, ...falling]);
      await this.#dropAll(workspace, records, falling);
      await removeTrees(this.#workspacePath(workspace), this.#home(workspace));
    });
  }

  override async space(): Promise<Space> {
    return await inStoreWords(async () => {
      const { bsize, bavail, blocks, bfree } = await statfs(this.#root);
      return { freeBytes: bavail * bsize, usedBytes: (blocks - bfree) * bsize };
    });
  }

  #workspacePath(workspace: string): string {
    return join(this.#root, workspace);
  }

  /** Where the checkpoints of a workspace are, and what is remembered about it. */
  #home(workspace: string, ...below: readonly string[]): string {
    return join(this.#root, '.checkpoints', workspace, ...below);
  }

  #checkpointPath(workspace: string, label: string): string {
    refuseBadLabel(label);
    if (RESERVED.includes(label))
      throw new SnapshotStoreError('FAILED', `"${label}" cannot name a checkpoint: the store uses it itself`);
    return this.#home(workspace, label);
  }

  async #makeLayout(path: string): Promise<void> {
    const folders = [path, ...this.#layout.map((folder) => join(path, folder))];
    for (const folder of folders) {
      await mkdir(folder);
      // Not by mkdir, whose mode the umask takes from.
      await chmod(folder, 0o755);
    }
  }

  /** Throws unless all of these may be replaced; then clears away what a crash left of them. */
  async #prepare(workspaces: readonly string[]): Promise<void> {
    for (const workspace of workspaces) await this.#refuseForeign(workspace);
    for (const workspace of workspaces) await this.#refuseBusy(workspace);
    for (const workspace of workspaces) await this.#clearHalves(workspace);
  }

  async #clearHalves(workspace: string): Promise<void> {
    const home = this.#home(workspace);
    await mkdir(home, { recursive: true, mode: 0o700 });
    await chmod(dirname(home), 0o700);
    const path = this.#workspacePath(workspace);
    // The end came between the two renames of a swap: back to what was.
    if (!existsSync(path) && existsSync(join(home, OUTGOING))) await rename(join(home, OUTGOING), path);
    await removeTrees(...HALVES.map((half) => join(home, half)));
  }

  async #refuseForeign(workspace: string): Promise<void> {
    const path = this.#workspacePath(workspace);
    const found = await identifyFolder(path);
    if (found === null) return;
    const record = await this.#workspaceRecord(workspace);
    if (record?.folders.includes(found) === true) return;
    throw new SnapshotStoreError(
      'FOREIGN_DATA',
      `${path} was not made by distro_const, and what is in it would be lost`,
      'Move it away, or name another build area.',
    );
  }

  async #refuseBusy(workspace: string): Promise<void> {
    const path = this.#workspacePath(workspace);
    await releaseMountsBelow(path);
    const users = await treeUsers(path);
    if (users.length > 0) throw busy(path, users);
  }

  /** A workspace that the checkpoint's came from would take it along when it goes. */
  async #refuseOrigin(checkpoint: Checkpoint, workspace: string): Promise<void> {
    for (
      let at: string | undefined = checkpoint.workspace;
      at !== undefined;
      at = (await this.#workspaceRecord(at))?.origin?.workspace
    ) {
      if (at !== workspace) continue;
      throw new SnapshotStoreError(
        'FAILED',
        `${checkpoint.workspace} was forked from ${workspace}, and cannot replace it`,
      );
    }
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
      await this.#discard(this.#workspacePath(workspace), workspace);
      await this.#swapIn(workspace, make, origin);
    }
  }

  async #swapIn(
    workspace: string,
    make: (incoming: string) => Promise<void>,
    origin: CheckpointPlace | null,
  ): Promise<void> {
    const path = this.#workspacePath(workspace);
    const incoming = this.#home(workspace, INCOMING);
    const outgoing = this.#home(workspace, OUTGOING);
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
    const path = this.#workspacePath(workspace);
    const shared = await this.#baseTree(workspace);
    if (shared !== null) {
      const changes = compareIndexes(shared.index, parseIndex(listing));
      // Linking a tree to throw most of it away again is slower than copying what is left.
      if (changes.changedFiles <= changes.unchangedFiles) {
        try {
          await linkTree(shared.tree, target);
          await removeEntries(target, changes.removed);
          await copyEntries(path, target, [Buffer.from('.'), ...changes.copied]);
          return;
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
  async #baseTree(
    workspace: string,
  ): Promise<{ readonly tree: string; readonly index: ReadonlyMap<string, string> } | null> {
    const base = (await this.#workspaceRecord(workspace))?.base ?? null;
    if (base === null || base.folder !== (await identifyFolder(this.#workspacePath(workspace)))) return null;
    const checkpoint = this.#home(base.workspace, base.label);
    // Another one of that name may have been taken since.
    if ((await readJson<CheckpointRecord>(join(checkpoint, 'record.json')))?.id !== base.id) return null;
    return {
      tree: join(checkpoint, 'tree'),
      index: parseIndex(await readFile(this.#home(workspace, INDEX))),
    };
  }

  /** Throws NOT_FOUND when there is no workspace. */
  async #listing(workspace: string): Promise<Listing> {
    const path = this.#workspacePath(workspace);
    const folder = await identifyFolder(path);
    if (folder === null) throw new SnapshotStoreError('NOT_FOUND', `there is no workspace ${path}`);
    const atMs = Date.now();
    return { folder, atMs, entries: await findEntries(path) };
  }

  /** Notes that the workspace, as it was listed, equals the checkpoint. Without room for the note the next checkpoint costs more, no more than that. */
  async #remember(
    workspace: string,
    { folder, atMs, entries }: Listing,
    checkpoint: Checkpoint,
  ): Promise<void> {
    try {
      const origin = (await this.#workspaceRecord(workspace))?.origin ?? null;
      await this.#writeRecord(workspace, { folders: [folder], origin, base: null });
      await writeFile(this.#home(workspace, INDEX), settled(parseIndex(entries), atMs), { mode: 0o600 });
      await this.#writeRecord(workspace, {
        folders: [folder],
        origin,
        base: { ...placeOf(checkpoint), folder },
      });
    } catch (error) {
      if (!isCode(await asStoreError(error), 'NO_SPACE')) throw error;
    }
  }

  async #workspaceRecord(workspace: string): Promise<WorkspaceRecord | null> {
    return await readJson<WorkspaceRecord>(this.#home(workspace, RECORD));
  }

  async #writeRecord(workspace: string, record: WorkspaceRecord): Promise<void> {
    await writeJson(this.#home(workspace, RECORD), record);
  }

  /** Throws NOT_FOUND when there is no such checkpoint, or another one of its name. */
  async #find({ workspace, label, id }: Checkpoint): Promise<CheckpointRecord> {
    const record = await readJson<CheckpointRecord>(
      join(this.#checkpointPath(workspace, label), 'record.json'),
    );
    if (record?.id === id) return record;
    throw new SnapshotStoreError('NOT_FOUND', `the checkpoint "${label}" of ${workspace} (${id}) is gone`);
  }

  /** Oldest first. What is half made or not ours has no readable record, and is not there. */
  async #records(workspace: string): Promise<readonly LabelledRecord[]> {
    const names = await readdir(this.#home(workspace)).catch(() => []);
    const labels = names.filter((name) => !RESERVED.includes(name));
    const records = await Promise.all(
      labels.map(async (label) => {
        const record = await readJson<CheckpointRecord>(this.#home(workspace, label, 'record.json'));
        return record === null ? [] : [{ ...record, label }];
      }),
    );
    return records.flat().toSorted((a, b) => a.sequence - b.sequence);
  }

  /** Workspaces forked from these checkpoints, and from theirs, and so on: each behind those that came from it. */
  async #forksOf(workspace: string, dropped: readonly LabelledRecord[]): Promise<readonly string[]> {
    const ids = new Set(dropped.map(({ id }) => id));
    const names = await readdir(join(this.#root, '.checkpoints')).catch(() => []);
    const forks: string[] = [];
    for (const name of names) {
      const origin = (await this.#workspaceRecord(name))?.origin;
      if (origin?.workspace !== workspace || !ids.has(origin.id)) continue;
      forks.push(...(await this.#forksOf(name, await this.#records(name))), name);
    }
    return forks;
  }

  /** Drops checkpoints of a workspace, and before that what came from them. */
  async #dropAll(
    workspace: string,
    dropped: readonly LabelledRecord[],
    falling: readonly string[],
  ): Promise<void> {
    for (const fork of falling) {
      await this.#dropCheckpoints(fork, await this.#records(fork));
      await removeTrees(this.#workspacePath(fork), this.#home(fork));
    }
    await this.#dropCheckpoints(workspace, dropped);
  }

  async #dropCheckpoints(workspace: string, dropped: readonly LabelledRecord[]): Promise<void> {
    for (const { label } of dropped.toReversed())
      await this.#discard(this.#checkpointPath(workspace, label), workspace);
  }

  /** Renamed first: what is removed is there whole or not at all. */
  async #discard(path: string, workspace: string): Promise<void> {
    const dropping = this.#home(workspace, DROPPING);
    await removeTrees(dropping);
    if (existsSync(path)) await rename(path, dropping);
    await removeTrees(dropping);
  }
}

type LabelledRecord = CheckpointRecord & { readonly label: string };

interface Listing {
  readonly folder: string;
  readonly atMs: number;
  readonly entries: Buffer;
}

function placeOf({ workspace, label, id }: Checkpoint): CheckpointPlace {
  return { workspace, label, id };
}

async function asStoreError(error: unknown): Promise<unknown> {
  return await inStoreWords(() => Promise.reject(error as Error)).catch((inWords: unknown) => inWords);
}
