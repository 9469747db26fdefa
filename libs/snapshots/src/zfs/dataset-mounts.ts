import { SnapshotStoreError } from '#libs/engine';
import { mountHolders } from '../mounts.js';
import { releaseMountsBelow } from '../release-mounts.js';
import { busy, isCode } from '../store-errors.js';
import { describeProcess, treeUsers } from '../tree-users.js';
import type { DatasetName } from './dataset-name.js';
import { readProperties } from './dataset-properties.js';
import { ROLE } from './workspace-state.js';
import type { ZfsCommand } from './zfs-command.js';

/** Where a dataset is mounted; `null` when it is not. */
async function mountedAt(zfs: ZfsCommand, dataset: DatasetName): Promise<string | null> {
  const properties = (await readProperties(zfs, dataset, 0, ['mounted', 'mountpoint'])).get(dataset);
  const path = properties?.get('mountpoint') ?? '';
  return properties?.get('mounted') === 'yes' && path.startsWith('/') ? path : null;
}

/** Unmounts all of them or none, with what is mounted below. Throws BUSY, naming who is in the way. */
export async function unmountDatasets(zfs: ZfsCommand, datasets: readonly DatasetName[]): Promise<void> {
  const places = await Promise.all(
    datasets.map(async (dataset) => ({ dataset, path: await mountedAt(zfs, dataset) })),
  );
  const mounted = places.flatMap(({ dataset, path }) => (path === null ? [] : [{ dataset, path }]));
  for (const { path } of mounted) await releaseMountsBelow(path);
  for (const { path } of mounted) await refuseBusy(path);
  const done: DatasetName[] = [];
  for (const { dataset, path } of mounted) {
    try {
      await zfs.zfsRetrying(['BUSY'], 'unmount', dataset);
      done.push(dataset);
    } catch (error) {
      for (const each of done) await zfs.zfsRetrying(['BUSY'], 'mount', each);
      throw isCode(error, 'BUSY') ? busy(path, await treeUsers(path), error) : error;
    }
  }
}

async function refuseBusy(path: string): Promise<void> {
  const users = await treeUsers(path);
  if (users.length > 0) throw busy(path, users);
  // ZFS would unmount, and then neither destroy nor mount again: nothing may be lost before that shows.
  const holders = await Promise.all((await lastingHolders(path)).map(describeProcess));
  if (holders.length > 0)
    throw busy(
      path,
      holders.map((holder) => `${holder}, in a mount namespace of its own`),
    );
}

/** A step that has just started holds every mount until its init has let go of them (libs/steps/src/step-init.ts). */
async function lastingHolders(path: string): Promise<readonly string[]> {
  const until = performance.now() + STARTING_MS;
  for (;;) {
    const holders = await mountHolders(path);
    if (holders.length === 0 || performance.now() > until) return holders;
    await new Promise((later) => setTimeout(later, STARTING_POLL_MS));
  }
}

/** A start takes some 30 ms; on a loaded host more. */
const STARTING_MS = 1_000;
const STARTING_POLL_MS = 25;

/**
 * Where a workspace of ours is, mounted. Throws NOT_FOUND when there is none, BACKEND_DOWN when it is not mounted: what
 * was written at its place then is not in it.
 */
export async function workspacePath(zfs: ZfsCommand, dataset: DatasetName): Promise<string> {
  const properties = (await readProperties(zfs, dataset, 0, [ROLE, 'mounted', 'mountpoint'])).get(dataset);
  if (properties?.get(ROLE) !== 'workspace') {
    throw new SnapshotStoreError('NOT_FOUND', `dataset "${dataset}" is no workspace of distro_const`);
  }
  const path = properties.get('mountpoint') ?? '';
  if (properties.get('mounted') === 'yes' && path.startsWith('/')) return path;
  throw new SnapshotStoreError('BACKEND_DOWN', `dataset "${dataset}" is not mounted`, `zfs mount ${dataset}`);
}

/** Mounts the dataset unless it is; resolves to the place. */
export async function mountDataset(zfs: ZfsCommand, dataset: DatasetName): Promise<string> {
  const there = await mountedAt(zfs, dataset);
  if (there !== null) return there;
  await zfs.zfsRetrying(['BUSY'], 'mount', dataset);
  const path = await mountedAt(zfs, dataset);
  if (path !== null) return path;
  throw new SnapshotStoreError(
    'FAILED',
    `dataset "${dataset}" could not be mounted`,
    `zfs get mountpoint,canmount ${dataset}`,
  );
}
