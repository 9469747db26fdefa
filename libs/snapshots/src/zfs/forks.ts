import { SnapshotStoreError } from '#libs/engine';
import { isCode } from '../store-errors.js';
import type { DatasetName } from './dataset-name.js';
import { readProperties } from './dataset-properties.js';
import { readRelatives, type Relative } from './relatives.js';
import {
  AREA,
  ASIDE_OF,
  asideOf,
  foreignDataset,
  isReceiving,
  readWorkspaceState,
  receivingMark,
  refuseForeign,
  ROLE,
  type SnapshotState,
  type WorkspaceState,
} from './workspace-state.js';
import type { ZfsCommand } from './zfs-command.js';

/** Where a build area is, by dataset. */
export interface AreaPlace {
  /** Only its direct children can be ours; a clone may be anywhere in the pool. */
  readonly root: DatasetName;
  /** Its direct children are areas, this one among them; `null` where there is but one. */
  readonly areasRoot: DatasetName | null;
}

/** What goes when snapshots of a workspace do. */
export interface Falling {
  /** Workspaces of the area: forked from the snapshots, or from what goes with those. Each stands behind those that came from it. */
  readonly forks: readonly WorkspaceState[];
  /** Full names of those, also among the snapshots of forks, that something needs that does not go. */
  readonly pinned: ReadonlySet<string>;
  /** All that was seen in the pool. */
  readonly relatives: readonly Relative[];
}

/**
 * What goes with these snapshots of a workspace, and what has to be set aside for it. Throws FOREIGN_DATA, FOREIGN_SNAPSHOTS or PINNED when anything among it is
 * not ours to destroy; nothing is changed.
 */
export async function fallingWith(
  zfs: ZfsCommand,
  place: AreaPlace,
  workspace: WorkspaceState,
  snapshots: readonly SnapshotState[],
): Promise<Falling> {
  const relatives = await readRelatives(zfs, place.root);
  const pinned = new Set<string>();
  const forks = await collectForks({ zfs, place, relatives, pinned }, workspace, snapshots);
  // A fork that is set aside stays a clone of what it was forked from.
  for (const { dataset, origin, snapshots: own } of forks) {
    if (origin !== null && isPinned(pinned, dataset, own)) pinned.add(origin);
  }
  return { forks, pinned, relatives };
}

export function isPinned(
  pinned: ReadonlySet<string>,
  dataset: DatasetName,
  snapshots: readonly SnapshotState[],
): boolean {
  return snapshots.some(({ label }) => pinned.has(`${dataset}@${label}`));
}

interface Search {
  readonly zfs: ZfsCommand;
  readonly place: AreaPlace;
  readonly relatives: readonly Relative[];
  /** Found so far. */
  readonly pinned: Set<string>;
}

async function collectForks(
  search: Search,
  workspace: WorkspaceState,
  snapshots: readonly SnapshotState[],
): Promise<readonly WorkspaceState[]> {
  const { zfs, place, relatives, pinned } = search;
  refuseForeign(workspace, snapshots);
  const child = relatives.find(({ name }) => name.startsWith(`${workspace.dataset}/`));
  // It would have to be unmounted, or destroyed: that is not for us to do.
  if (child !== undefined) throw foreignDataset(child.name);
  const origins = new Set(snapshots.map(({ label }) => `${workspace.dataset}@${label}`));
  const going: WorkspaceState[] = [];
  for (const { name, origin } of relatives.filter((relative) => origins.has(relative.origin))) {
    const isChild = parentOf(name) === place.root;
    const fork = isChild ? await readWorkspaceState(zfs, name as DatasetName) : null;
    if ((fork?.aside ?? null) !== null || (!isChild && (await isOfAnotherArea(zfs, place, name))))
      pinned.add(origin);
    else if (fork?.isOurs !== true) throw foreignClone(name, origin);
    else going.push(...(await collectForks(search, fork, fork.snapshots)), fork);
  }
  return going;
}

/** A workspace of an area beside, or what one has set aside. */
async function isOfAnotherArea(zfs: ZfsCommand, { areasRoot }: AreaPlace, dataset: string): Promise<boolean> {
  const area = parentOf(dataset);
  if (areasRoot === null || parentOf(area) !== areasRoot) return false;
  try {
    const mark = receivingMark(dataset.slice(area.length + 1));
    const names = [AREA, ROLE, ASIDE_OF, mark];
    const properties = (await readProperties(zfs, dataset as DatasetName, 0, names)).get(dataset);
    if (properties?.get(AREA) !== area.slice(areasRoot.length + 1)) return false;
    const isOurs = properties.get(ROLE) === 'workspace' || asideOf(properties) !== null;
    return isOurs || isReceiving(dataset, properties);
  } catch (error) {
    // What is gone is in nobody's way.
    if (isCode(error, 'NOT_FOUND')) return true;
    throw error;
  }
}

/** Datasets of the area that one of it came from, itself first. */
export async function originsOf(
  zfs: ZfsCommand,
  root: DatasetName,
  dataset: DatasetName,
): Promise<readonly string[]> {
  const relatives = await readRelatives(zfs, dataset);
  const origins: string[] = [];
  for (let at: string | undefined = dataset; at !== undefined && parentOf(at) === root;) {
    const name: string = at;
    origins.push(name);
    at = relatives.find((relative) => relative.name === name)?.origin.match(/^(.+)@/)?.[1];
  }
  return origins;
}

function parentOf(dataset: string): string {
  return dataset.slice(0, dataset.lastIndexOf('/'));
}

function foreignClone(name: string, origin: string): SnapshotStoreError {
  return new SnapshotStoreError(
    'FOREIGN_SNAPSHOTS',
    `"${name}", which distro_const did not make, was cloned from ${origin}, which would have to go`,
    `Make it independent (zfs promote ${name}) or destroy it, then try again.`,
  );
}
