export { parseDatasetName, type DatasetName } from './zfs/dataset-name.js';
export { createDataset, datasetInfo, datasetMountedAt, type DatasetInfo } from './zfs/datasets.js';
export { ZfsCommand, type ZfsCall } from './zfs/zfs-command.js';
export { ZfsSnapshotStore, type ZfsSnapshotStoreOptions } from './zfs/zfs-snapshot-store.js';
export {
  DirectorySnapshotStore,
  type DirectorySnapshotStoreOptions,
} from './directory/directory-snapshot-store.js';
