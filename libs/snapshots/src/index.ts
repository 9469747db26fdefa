export { parseDatasetName, type DatasetName } from './zfs/dataset-name.js';
export { createDataset, datasetInfo, datasetMountedAt, type DatasetInfo } from './zfs/datasets.js';
export { ZfsCommand, type ZfsCall } from './zfs/zfs-command.js';
export { ZfsSnapshotStore, type ZfsSnapshotStoreOptions } from './zfs/zfs-snapshot-store.js';
export {
  DirectorySnapshotStore,
  type DirectorySnapshotStoreOptions,
} from './directory/directory-snapshot-store.js';
export { Areas, type Area } from './areas.js';
export { ZfsAreas, type ZfsAreasOptions } from './zfs/zfs-areas.js';
export { DirectoryAreas, type DirectoryAreasOptions } from './directory/directory-areas.js';
