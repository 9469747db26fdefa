import { SnapshotStoreError } from '#libs/engine';
import { poolOf, type DatasetName } from './dataset-name.js';
import {
  foreignDataset,
  readWorkspaceState,
  refuseForeign,
  type SnapshotState,
  type WorkspaceState,
} from './workspace-state.js';
import type { ZfsCommand } from './zfs-command.js';

/** A dataset or volume of the pool. */
interface Relative {
  readonly name: string;
  /** Snapshot it was cloned from. */
  readonly origin: string;
}

/**
 * The workspaces that go with these snapshots of a workspace: forked from them, or from what goes with those. Each stands behind those that came
 * from it. Throws FOREIGN_DATA, FOREIGN_SNAPSHOTS or PINNED when anything among it is not ours to destroy; nothing is changed.
 *
 * @param root only its direct children can be ours; a clone may be anywhere in the pool
 */
export async function forksGoingWith(
  zfs: ZfsCommand,
  root: DatasetName,
  workspace: WorkspaceState,
  snapshots: readonly SnapshotState[],
): Promise<readonly WorkspaceState[]> {
  const relatives = await readRelatives(zfs, root);
  return await collectForks(zfs, root, relatives, workspace, snapshots);
}

async function collectForks(
  zfs: ZfsCommand,
  root: DatasetName,
  relatives: readonly Relative[],
  workspace: WorkspaceState,
  snapshots: readonly SnapshotState[],
): Promise<readonly WorkspaceState[]> {
  refuseForeign(workspace, snapshots);
  const child = relatives.find(({ name }) => name.startsWith(`${workspace.dataset}/`));
  // It would have to be unmounted, or destroyed: that is not for us to do.
  if (child !== undefined) throw foreignDataset(child.name);
  const origins = new Set(snapshots.map(({ label }) => `${workspace.dataset}@${label}`));
  const going: WorkspaceState[] = [];
  for (const { name, origin } of relatives.filter((relative) => origins.has(relative.origin))) {
    const isChild = name.slice(0, name.lastIndexOf('/')) === root;
    const fork = isChild ? await readWorkspaceState(zfs, name as DatasetName) : null;
    if (fork?.isOurs !== true) throw foreignClone(name, origin);
    going.push(...(await collectForks(zfs, root, relatives, fork, fork.snapshots)), fork);
  }
  return going;
}

/** Datasets that a dataset came from, itself first. */
export async function originsOf(zfs: ZfsCommand, dataset: DatasetName): Promise<readonly string[]> {
  const relatives = await readRelatives(zfs, dataset);
  const origins: string[] = [];
  for (let at: string | undefined = dataset; at !== undefined;) {
    const name: string = at;
    origins.push(name);
    at = relatives.find((relative) => relative.name === name)?.origin.match(/^(.+)@/)?.[1];
  }
  return origins;
}

/** In one call for the pool: `zfs get -r` would ask each snapshot, too. */
async function readRelatives(zfs: ZfsCommand, dataset: DatasetName): Promise<readonly Relative[]> {
  const columns = ['-o', 'name,origin'];
  const output = await zfs.zfs('list', '-H', '-r', '-t', 'filesystem,volume', ...columns, poolOf(dataset));
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
    .map(([name = '', origin = '']) => ({ name, origin }));
}

function foreignClone(name: string, origin: string): SnapshotStoreError {
  return new SnapshotStoreError(
    'FOREIGN_SNAPSHOTS',
    `"${name}", which distro_const did not make, was cloned from ${origin}, which would have to go`,
    `Make it independent (zfs promote ${name}) or destroy it, then try again.`,
  );
}
