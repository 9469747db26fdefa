import { SnapshotStore, SnapshotStoreError, type Space, type Workspace } from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { releaseMountsBelow } from '../release-mounts.js';
import { treeUsers } from '../tree-users.js';
import { copyEntries, copyTree, findEntries, linkTree, removeEntries, removeTrees } from './copy-tree.js';
import { compareIndexes, parseIndex } from './tree-index.js';

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

/** `.checkpoints/<workspace>/.workspace.json`: which folder we made, so that somebody else's is not taken for it. */
interface WorkspaceRecord {
  /** Inodes the workspace may have: during a swap the old and the new one. */
  readonly inodes: readonly number[];
  /** The checkpoint that `.index` compares with; `null` when the workspace started from nothing. */
  readonly index: { readonly workspace: string; readonly label: string } | null;
}

const NAME = /^[A-Za-z0-9._-]+$/;

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
    const incoming = await this.#prepare(workspace);
    await mkdir(incoming, { mode: 0o755 });
    for (const folder of this.#layout) await mkdir(join(incoming, folder), { mode: 0o755 });
    await this.#swapIn(workspace, incoming, null);
    await this.#drop(workspace, await this.#labels(workspace));
    return { name: workspace, path: this.#workspacePath(workspace) };
  }

  override async startFrom(checkpoint: Checkpoint, workspace: string): Promise<Workspace> {
    const source = this.#checkpointPath(checkpoint.workspace, checkpoint.label);
    const record = await readJson<CheckpointRecord>(join(source, 'record.json'));
    if (record?.id !== checkpoint.id) {
      throw new SnapshotStoreError('NOT_FOUND', `the checkpoint "${checkpoint.label}" of ${checkpoint.workspace} (${checkpoint.id}) is gone`);
    }
    const incoming = await this.#prepare(workspace);
    await copyTree(join(source, 'tree'), incoming);
    await this.#swapIn(workspace, incoming, { workspace: checkpoint.workspace, label: checkpoint.label });
    const own = await this.#records(workspace);
    const keepUpTo = checkpoint.workspace === workspace ? record.sequence : -1;
    await this.#drop(workspace, own.filter(({ sequence }) => sequence > keepUpTo).map(({ label }) => label));
    return { name: workspace, path: this.#workspacePath(workspace) };
  }

  override async take(workspace: string, label: string, facts: CheckpointFacts): Promise<Checkpoint> {
    const path = this.#workspacePath(workspace);
    if (!existsSync(path)) throw new SnapshotStoreError('NOT_FOUND', `there is no workspace ${path}`);
    const target = this.#checkpointPath(workspace, label);
    if (existsSync(target)) throw new SnapshotStoreError('EXISTS', `there is a checkpoint "${label}" of ${workspace} already`);
    const records = await this.#records(workspace);
    const record: CheckpointRecord = { id: randomUUID(), sequence: (records.at(-1)?.sequence ?? 0) + 1, facts };
    const taking = join(this.#home(workspace), '.taking');
    await removeTrees(taking);
    try {
      await mkdir(taking, { mode: 0o700 });
      const listing = await findEntries(path);
      await this.#copyWorkspace(workspace, listing, join(taking, 'tree'));
      await writeJson(join(taking, 'record.json'), record);
      // From here on the checkpoint exists: all of it, or, after a crash, none.
      await rename(taking, target);
      await this.#writeIndex(workspace, listing, { workspace, label });
    } catch (error) {
      await removeTrees(taking);
      throw noSpaceOr(error);
    }
    return { id: record.id, workspace, label, facts };
  }

  override async list(workspace: string): Promise<readonly Checkpoint[]> {
    return (await this.#records(workspace)).map(({ id, label, facts }) => ({ id, workspace, label, facts }));
  }

  override async destroy(workspace: string): Promise<void> {
    await this.#refuseForeign(workspace);
    await this.#refuseBusy(workspace);
    await removeTrees(this.#workspacePath(workspace), this.#home(workspace));
  }

  override async space(): Promise<Space> {
    const { bsize, bavail, blocks, bfree } = await statfs(this.#root);
    return { freeBytes: bavail * bsize, usedBytes: (blocks - bfree) * bsize };
  }

  #workspacePath(workspace: string): string {
    if (!NAME.test(workspace)) throw new SnapshotStoreError('FAILED', `"${workspace}" cannot name a workspace`);
    return join(this.#root, workspace);
  }

  /** Where the checkpoints of a workspace are, and what is remembered about it. */
  #home(workspace: string): string {
    return join(this.#root, '.checkpoints', workspace);
  }

  #checkpointPath(workspace: string, label: string): string {
    if (!NAME.test(label)) throw new SnapshotStoreError('FAILED', `"${label}" cannot name a checkpoint`);
    return join(this.#home(workspace), label);
  }

  /** Checks that the workspace may be replaced; returns the path where its successor is to be put together. */
  async #prepare(workspace: string): Promise<string> {
    await this.#refuseForeign(workspace);
    await this.#refuseBusy(workspace);
    const home = this.#home(workspace);
    await mkdir(home, { recursive: true, mode: 0o700 });
    await chmod(dirname(home), 0o700);
    const incoming = join(home, '.incoming');
    await removeTrees(incoming, join(home, '.outgoing'), join(home, '.taking'));
    return incoming;
  }

  async #refuseForeign(workspace: string): Promise<void> {
    const path = this.#workspacePath(workspace);
    const found = await stat(path).catch(() => null);
    if (found === null) return;
    const record = await readJson<WorkspaceRecord>(join(this.#home(workspace), '.workspace.json'));
    if (record?.inodes.includes(found.ino) === true) return;
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
    if (users.length === 0) return;
    throw new SnapshotStoreError('BUSY', `${path} is in use by ${users.join(', ')}`, 'End it, or leave the folder, then try again.');
  }

  /** Puts the new tree in the workspace's place; until then the old one, and all its checkpoints, are untouched. */
  async #swapIn(workspace: string, incoming: string, index: WorkspaceRecord['index']): Promise<void> {
    const path = this.#workspacePath(workspace);
    const home = this.#home(workspace);
    const before = await stat(path).catch(() => null);
    const inodes = [(await stat(incoming)).ino, ...(before === null ? [] : [before.ino])];
    await writeJson(join(home, '.workspace.json'), { inodes, index: null });
    if (before !== null) await rename(path, join(home, '.outgoing'));
    await rename(incoming, path);
    await this.#writeIndex(workspace, await findEntries(path), index);
    await removeTrees(join(home, '.outgoing'));
  }

  async #writeIndex(workspace: string, listing: Buffer, index: WorkspaceRecord['index']): Promise<void> {
    const home = this.#home(workspace);
    const { ino } = await stat(this.#workspacePath(workspace));
    await writeJson(join(home, '.workspace.json'), { inodes: [ino], index: null });
    await writeFile(join(home, '.index'), listing, { mode: 0o600 });
    await writeJson(join(home, '.workspace.json'), { inodes: [ino], index });
  }

  async #copyWorkspace(workspace: string, listing: Buffer, target: string): Promise<void> {
    const path = this.#workspacePath(workspace);
    const home = this.#home(workspace);
    const record = await readJson<WorkspaceRecord>(join(home, '.workspace.json'));
    const from = record?.index == null ? null : join(this.#checkpointPath(record.index.workspace, record.index.label), 'tree');
    if (from === null || !existsSync(from)) return await copyTree(path, target);
    const now = parseIndex(listing);
    const before = parseIndex(await readFile(join(home, '.index')));
    const { changed, removed } = compareIndexes(before, now);
    // Linking a tree to throw most of it away again is slower than copying what is left.
    if (removed.length + changed.length > now.size) return await copyTree(path, target);
    await linkTree(from, target);
    await removeEntries(target, removed);
    await copyEntries(path, target, [Buffer.from('.'), ...changed]);
  }

  async #labels(workspace: string): Promise<readonly string[]> {
    return (await this.#records(workspace)).map(({ label }) => label);
  }

  /** Oldest first. What is half made or not ours has no readable record, and is not there. */
  async #records(workspace: string): Promise<readonly (CheckpointRecord & { readonly label: string })[]> {
    const names = await readdir(this.#home(workspace)).catch(() => []);
    const records = await Promise.all(
      names
        .filter((name) => !['.incoming', '.outgoing', '.taking', '.dropping'].includes(name))
        .map(async (label) => {
          const record = await readJson<CheckpointRecord>(join(this.#home(workspace), label, 'record.json'));
          return record === null ? [] : [{ ...record, label }];
        }),
    );
    return records.flat().toSorted((a, b) => a.sequence - b.sequence);
  }

  async #drop(workspace: string, labels: readonly string[]): Promise<void> {
    const dropping = join(this.#home(workspace), '.dropping');
    for (const label of labels.toReversed()) {
      await removeTrees(dropping);
      // Renamed first: a checkpoint is there whole or not at all.
      await rename(this.#checkpointPath(workspace, label), dropping);
      await removeTrees(dropping);
    }
  }
}

/** `null` when there is no such file, or no JSON in it. */
async function readJson<T>(path: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch {
    return null;
  }
}

async function writeJson(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, JSON.stringify(value), { mode: 0o600 });
  await rename(temporary, path);
}

function noSpaceOr(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new SnapshotStoreError('NO_SPACE', 'the build area is full', null, { cause: error });
}
