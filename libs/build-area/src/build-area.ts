import { SnapshotStoreError, type SnapshotStore } from '#libs/engine';
import {
  createDataset,
  datasetInfo,
  datasetMountedAt,
  DirectorySnapshotStore,
  parseDatasetName,
  ZfsSnapshotStore,
  type DatasetName,
} from '#libs/snapshots';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The folders every workspace starts with; they share one dataset so that one snapshot of them is consistent. */
const WORKSPACE_FOLDERS = ['pkg_image', 'boot_archive', 'tmp'];

/** The build area cannot be used as it is. */
export class BuildAreaError extends Error {
  override readonly name = 'BuildAreaError';
  constructor(
    message: string,
    /** What to do about it; `null` when the message says it all. */
    readonly hint: string | null,
  ) {
    super(message);
  }
}

/** Where a build area is or would be. Nothing has been made. */
export type FoundArea =
  | { readonly kind: 'dataset'; readonly dataset: DatasetName; readonly store: SnapshotStore }
  | { readonly kind: 'folder'; readonly path: string; readonly store: SnapshotStore };

/** A build area with all its folders, ready to build in. */
export interface BuildArea {
  /** `null` on plain folders. */
  readonly dataset: DatasetName | null;
  readonly path: string;
  readonly mediaPath: string;
  readonly logsPath: string;
  readonly store: SnapshotStore;
  /** What the user should know about this area. */
  readonly notes: readonly string[];
}

/**
 * Reads a manifest's `build_area`: a dataset name, the mount point of a dataset, or a folder. Read-only.
 *
 * @param value no trailing slash (libs/manifest takes it off)
 */
export async function findBuildArea(value: string): Promise<FoundArea> {
  if (!value.startsWith('/')) return datasetArea(parseDatasetName(value));
  const dataset = await datasetMountedAt(value);
  if (dataset !== null) return datasetArea(dataset);
  return {
    kind: 'folder',
    path: value,
    store: new DirectorySnapshotStore({ root: value, layout: WORKSPACE_FOLDERS }),
  };
}

function datasetArea(dataset: DatasetName): FoundArea {
  return {
    kind: 'dataset',
    dataset,
    store: new ZfsSnapshotStore({ root: dataset, layout: WORKSPACE_FOLDERS }),
  };
}

/** Where it is in the file system; `null`: it is not there, or not mounted. */
export async function areaPath(found: FoundArea): Promise<string | null> {
  if (found.kind === 'folder') return found.path;
  const info = await datasetInfo(found.dataset);
  return info?.mounted === true ? info.mountpoint : null;
}

/** Makes what is missing of the area; what is there stays as it is. Safe to repeat. */
export async function openBuildArea(found: FoundArea): Promise<BuildArea> {
  return found.kind === 'dataset'
    ? await openDatasetArea(found.dataset, found.store)
    : await openFolderArea(found);
}

async function openDatasetArea(dataset: DatasetName, store: SnapshotStore): Promise<BuildArea> {
  await createDataset(dataset);
  const path = await mountPoint(dataset);
  // Beside the workspaces, so that they are never rolled back.
  for (const child of ['media', 'logs']) await createDataset(parseDatasetName(`${dataset}/${child}`));
  return { dataset, path, mediaPath: join(path, 'media'), logsPath: join(path, 'logs'), store, notes: [] };
}

async function mountPoint(dataset: DatasetName): Promise<string> {
  const info = await datasetInfo(dataset);
  if (info === null)
    throw new SnapshotStoreError('NOT_FOUND', `dataset "${dataset}" vanished while it was opened`);
  if (info.mountpoint === null) {
    throw new BuildAreaError(
      `dataset "${dataset}" has no mount point (mountpoint is none or legacy)`,
      `Give it one: zfs set mountpoint=/some/folder ${dataset}`,
    );
  }
  if (!info.mounted) {
    throw new BuildAreaError(
      `dataset "${dataset}" is not mounted at ${info.mountpoint}`,
      `Mount it: zfs mount ${dataset}`,
    );
  }
  return info.mountpoint;
}

async function openFolderArea({ path, store }: FoundArea & { kind: 'folder' }): Promise<BuildArea> {
  const [mediaPath, logsPath] = [join(path, 'media'), join(path, 'logs')];
  try {
    for (const folder of [path, mediaPath, logsPath]) await mkdir(folder, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new BuildAreaError(`the build area ${path} cannot be made: ${(error as Error).message}`, null);
  }
  const notes = [`${path} is no ZFS dataset: checkpoints are made by copying`];
  return { dataset: null, path, mediaPath, logsPath, store, notes };
}
