export { parseDatasetName, type DatasetName } from './zfs/dataset-name.js';
export {
  createDataset,
  datasetInfo,
  datasetMountedAt,
  endTransactionGroup,
  type DatasetInfo,
} from './zfs/datasets.js';
export { ZfsCommand, type ZfsCall } from './zfs/zfs-command.js';
export { ZfsSnapshotStore, type ZfsSnapshotStoreOptions } from './zfs/zfs-snapshot-store.js';
export {
  DirectorySnapshotStore,
  type DirectorySnapshotStoreOptions,
} from './directory/directory-snapshot-store.js';
export { SlabReader, giveBack } from './slab-reader.js';
export { Areas, type Area, type CheckpointOfArea, type OpenTree, type WorkspaceOfArea } from './areas.js';
export { ZfsAreas, type ZfsAreasOptions } from './zfs/zfs-areas.js';
export { DirectoryAreas, type DirectoryAreasOptions } from './directory/directory-areas.js';
export { BtrfsAreas, type BtrfsAreasOptions } from './btrfs/btrfs-areas.js';
export { BtrfsCommand, type BtrfsCall } from './btrfs/btrfs-command.js';
export { isBtrfsFolder } from './btrfs/btrfs-folder.js';
export { BtrfsSnapshotStore, type BtrfsSnapshotStoreOptions } from './btrfs/btrfs-snapshot-store.js';
