import { SnapshotStoreError } from '#libs/engine';

declare const brand: unique symbol;

/** A dataset that can exist: `pool/a/b`. Only `parseDatasetName` makes one. */
export type DatasetName = string & { readonly [brand]: 'dataset' };

/** `dataset@label`. Only `snapshotName` makes one. */
export type SnapshotName = string & { readonly [brand]: 'snapshot' };

/** Components and total length as in OpenZFS module/zcommon/zfs_namecheck.c (entity_namecheck, ZFS_MAX_DATASET_NAME_LEN 256 with its NUL). */
const COMPONENT = /^[A-Za-z0-9_.:-]+$/;
const MAX_LENGTH = 255;

/** Throws SnapshotStoreError FAILED for a name that ZFS would not take, or that could be read as an option. */
export function parseDatasetName(text: string): DatasetName {
  const components = text.split('/');
  const isName = components.every((part) => COMPONENT.test(part) && part !== '.' && part !== '..');
  if (!isName || text.length > MAX_LENGTH || !/^[A-Za-z]/.test(text)) {
    throw new SnapshotStoreError(
      'FAILED',
      `"${text}" cannot be the name of a ZFS dataset`,
      'expected pool/name, of letters, digits and _ . : -',
    );
  }
  return text as DatasetName;
}

/** Throws SnapshotStoreError FAILED when the label, or the whole, cannot be a snapshot's name. */
export function snapshotName(dataset: DatasetName, label: string): SnapshotName {
  const name = `${dataset}@${label}`;
  if (!COMPONENT.test(label) || name.length > MAX_LENGTH) {
    throw new SnapshotStoreError('FAILED', `"${name}" cannot be the name of a ZFS snapshot`);
  }
  return name as SnapshotName;
}

/** A dataset directly below `parent`. */
export function childDataset(parent: DatasetName, name: string): DatasetName {
  if (name.includes('/'))
    throw new SnapshotStoreError('FAILED', `"${name}" is not one component of a dataset name`);
  return parseDatasetName(`${parent}/${name}`);
}

export function poolOf(dataset: DatasetName): string {
  return dataset.split('/')[0] ?? dataset;
}
