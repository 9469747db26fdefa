import { SnapshotStoreError } from '#libs/engine';
import { readFile } from 'node:fs/promises';
import { parseMountinfo } from '../mounts.js';
import { poolOf, parseDatasetName, type DatasetName } from './dataset-name.js';
import { readProperties } from './dataset-properties.js';
import { ZfsCommand } from './zfs-command.js';

export interface DatasetInfo {
  /** `null` for `none` and `legacy`. */
  readonly mountpoint: string | null;
  readonly mounted: boolean;
}

/** `null` when there is no such dataset. Read-only. */
export async function datasetInfo(dataset: DatasetName, zfs = new ZfsCommand()): Promise<DatasetInfo | null> {
  try {
    const properties = (await readProperties(zfs, dataset, 0, ['mountpoint', 'mounted'])).get(dataset);
    const mountpoint = properties?.get('mountpoint') ?? 'none';
    return {
      mountpoint: mountpoint.startsWith('/') ? mountpoint : null,
      mounted: properties?.get('mounted') === 'yes',
    };
  } catch (error) {
    if (error instanceof SnapshotStoreError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

/** The dataset that is mounted at exactly this folder; `null` when none is. Read-only, and quick: it asks the kernel, not ZFS. */
export async function datasetMountedAt(folder: string): Promise<DatasetName | null> {
  const mounts = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'));
  // The last mount at a place is the one that is seen there.
  const mount = mounts.findLast(({ path }) => path === folder);
  return mount !== undefined && /^(fuse\.)?zfs$/.test(mount.type) ? parseDatasetName(mount.source) : null;
}

/** Makes the dataset and its parents, and sees to it that it is mounted. An existing one stays as it is. */
export async function createDataset(dataset: DatasetName, zfs = new ZfsCommand()): Promise<void> {
  const info = await datasetInfo(dataset, zfs);
  if (info?.mountpoint != null && !info.mounted) await zfs.zfsRetrying(['BUSY'], 'mount', dataset);
  if (info !== null) return;
  try {
    await zfs.zfs('create', '-p', dataset);
  } catch (error) {
    if (!(error instanceof SnapshotStoreError) || error.code !== 'NOT_FOUND') throw error;
    const pool = poolOf(dataset);
    throw new SnapshotStoreError(
      'NOT_FOUND',
      `dataset "${dataset}" cannot be made: there is no pool "${pool}"`,
      'zpool list shows the pools there are.',
      { cause: error },
    );
  }
}

/**
 * Resolves when all that was written before it counts in what datasets take. By itself ZFS ends a transaction group every 5 s, and zfs-fuse every 30; a change of properties
 * ends one, also of a property that is not set.
 */
export async function endTransactionGroup(dataset: DatasetName, zfs = new ZfsCommand()): Promise<void> {
  await zfs.zfs('inherit', 'org.distrofarm:settled', dataset);
}
