export { CopyOutputs } from './copy-outputs.js';
export { treeDigest } from './tree-digest.js';
export { packTree, unpackTree } from './pack-tree.js';
export type { PieceFile } from './piece-reader.js';
export { TreeError, type TreeErrorCode } from './tree-error.js';
export { BlobError, type BlobErrorCode } from './blob-error.js';
export { BlobStore, type ByteRange, type PendingUpload, type StoredBlob } from './blob-store.js';
export { LogStore } from './log-store.js';
export {
  fileIdentity,
  hashFile,
  isSameFile,
  NotAFileError,
  type FileIdentity,
  type HashedFile,
} from './hash-file.js';
export { DirectoryBlobStore } from './directory-blob-store.js';
export { DirectoryLogStore } from './directory-log-store.js';
export { formatSha256Sums, type NamedDigest } from './sha256sums.js';
export { S3BlobStore } from './s3-blob-store.js';
export type { S3Settings } from './s3-bucket.js';
export { ObjectLogStore } from './object-log-store.js';
