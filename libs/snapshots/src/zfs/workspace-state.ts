import { SnapshotStoreError } from '#libs/engine';
import type { CheckpointFacts } from '#libs/plan';
import { createHash } from 'node:crypto';
import { isCode } from '../store-errors.js';
import { EMPTY } from '../store-names.js';
import type { DatasetName } from './dataset-name.js';
import { readProperties, type Properties } from './dataset-properties.js';
import { FACT_PROPERTIES, factsFromProperties } from './fact-properties.js';
import type { ZfsCommand } from './zfs-command.js';

/** User properties: https://openzfs.github.io/openzfs-docs/man/master/7/zfsprops.7.html#User_Properties */
const OURS = 'org.distrofarm:';
/** Set on datasets we made. Their snapshots and children inherit it, so it proves nothing about those. */
export const ROLE = `${OURS}role`;
/** Holds the area's name. Children inherit it, so it counts only where it names the dataset that has it. */
export const AREA = `${OURS}area`;
/** Set on what was set aside of that workspace (asides.ts). */
export const ASIDE_OF = `${OURS}aside-of`;
/** Set on snapshots we took, never on datasets. */
export const MARK = `${OURS}checkpoint`;
/**
 * What is being received proves itself by these until it is whole, since a stream can carry no property: on the build area's dataset the workspace that is
 * made (`receivingMark`), which that inherits; on a workspace the guid of the snapshot that it gets.
 */
export const RECEIVING_GUID = `${OURS}receiving-guid`;
/** Of what came of a receive that broke off, and can be gone on with; zfsprops(7). */
export const RESUME_TOKEN = 'receive_resume_token';

/** A property of each workspace's own, since several can be on their way at once. Its name has no room for theirs. */
export function receivingMark(workspace: string): string {
  return `${OURS}receiving.${createHash('sha256').update(workspace).digest('hex').slice(0, 32)}`;
}

/** What ZFS knows of a workspace. */
export interface WorkspaceState {
  readonly dataset: DatasetName;
  readonly isOurs: boolean;
  /** It is what the receiving of the workspace has made, or left, and no workspace yet. */
  readonly isHalf: boolean;
  /** `null`: nothing of a receive that broke off was kept in it. */
  readonly resumeToken: string | null;
  /** `null`: not set aside. */
  readonly aside: Aside | null;
  /** The snapshot it was cloned from. */
  readonly origin: string | null;
  /** Oldest first. */
  readonly snapshots: readonly SnapshotState[];
}

export interface SnapshotState {
  readonly label: string;
  /** 64 bits: a string, a number would be rounded. */
  readonly guid: string;
  /** Orders snapshots where the creation time, in whole seconds, does not. */
  readonly createdInTransaction: number;
  readonly holds: number;
  readonly isOurs: boolean;
  /** Not one whose receiving was cut off. */
  readonly isWhole: boolean;
  readonly facts: CheckpointFacts;
}

/** `all` would not show guid and createtxg. */
const STATE_PROPERTIES = [
  'guid',
  'createtxg',
  'userrefs',
  'origin',
  ROLE,
  ASIDE_OF,
  MARK,
  RECEIVING_GUID,
  ...FACT_PROPERTIES,
];

/** `null` when the dataset does not exist. */
export async function readWorkspaceState(
  zfs: ZfsCommand,
  dataset: DatasetName,
): Promise<WorkspaceState | null> {
  try {
    const names = [...STATE_PROPERTIES, receivingMark(nameOf(dataset))];
    const canGoOn = await zfs.canGoOn(dataset);
    const all = await readProperties(zfs, dataset, 1, canGoOn ? [...names, RESUME_TOKEN] : names);
    const own: Properties = all.get(dataset) ?? new Map<string, string>();
    const isHalf = own.get(ROLE) !== 'workspace' && isReceiving(dataset, own);
    const snapshots = [...all]
      .filter(([name]) => name.startsWith(`${dataset}@`))
      .map(([name, properties]) => snapshotState(name.slice(dataset.length + 1), properties, isHalf))
      .toSorted((a, b) => a.createdInTransaction - b.createdInTransaction);
    const isOurs = own.get(ROLE) === 'workspace' || isHalf;
    return {
      ...{ dataset, isOurs, isHalf, snapshots },
      resumeToken: own.get(RESUME_TOKEN) ?? null,
      aside: asideOf(own),
      origin: own.get('origin') ?? null,
    };
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return null;
    throw error;
  }
}

/** Throws FOREIGN_DATA, FOREIGN_SNAPSHOTS or PINNED unless these snapshots of the workspace are ours to destroy. */
export function refuseForeign(
  { dataset, isOurs }: WorkspaceState,
  snapshots: readonly SnapshotState[],
): void {
  if (!isOurs) throw foreignDataset(dataset);
  const names = (some: readonly SnapshotState[]): string =>
    some.map(({ label }) => `${dataset}@${label}`).join(', ');
  const foreign = snapshots.filter((snapshot) => !snapshot.isOurs);
  if (foreign.length > 0) {
    throw new SnapshotStoreError(
      'FOREIGN_SNAPSHOTS',
      `snapshots that distro_const did not take are in the way: ${names(foreign)}`,
      'Destroy them, or keep their contents: zfs clone, then zfs promote, then try again.',
    );
  }
  const held = snapshots.filter(({ holds }) => holds > 0);
  if (held.length > 0)
    throw new SnapshotStoreError(
      'PINNED',
      `held checkpoints are in the way: ${names(held)}`,
      'zfs holds, zfs release',
    );
}

export function foreignDataset(dataset: string): SnapshotStoreError {
  return new SnapshotStoreError(
    'FOREIGN_DATA',
    `dataset "${dataset}" was not made by distro_const, and what is in it would be lost`,
    `Rename it (zfs rename ${dataset} …), or name another build area.`,
  );
}

/** The snapshot of the workspace as it was made, when it is there. */
export function emptySnapshot({ snapshots }: WorkspaceState): SnapshotState | null {
  return snapshots.find(({ label, isOurs }) => label === EMPTY && isOurs) ?? null;
}

/** The dataset is what the receiving of its workspace has made, or left. */
export function isReceiving(dataset: string, properties: Properties): boolean {
  const workspace = nameOf(dataset);
  return properties.get(receivingMark(workspace)) === workspace;
}

function nameOf(dataset: string): string {
  return dataset.slice(dataset.lastIndexOf('/') + 1);
}

export interface Aside {
  readonly workspace: string;
  /** Not until all is done: the workspace may still be put back. */
  readonly isSealed: boolean;
}

/** `null` for what was not set aside. */
export function asideOf(properties: Properties): Aside | null {
  const workspace = properties.get(ASIDE_OF);
  return workspace === undefined ? null : { workspace, isSealed: properties.get(ROLE) === 'aside' };
}

function snapshotState(label: string, properties: Properties, isOfHalf: boolean): SnapshotState {
  const guid = properties.get('guid') ?? '';
  // The mark names the label: a property inherited or copied from elsewhere does not make a snapshot ours.
  const isWhole = properties.get(MARK) === label;
  return {
    label,
    guid,
    createdInTransaction: Number(properties.get('createtxg')),
    holds: Number(properties.get('userrefs') ?? 0),
    isOurs: isWhole || isOfHalf || properties.get(RECEIVING_GUID) === guid,
    isWhole,
    facts: factsFromProperties(properties),
  };
}
