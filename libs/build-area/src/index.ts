export {
  areaPath,
  BuildAreaError,
  findBuildArea,
  openBuildArea,
  type BuildArea,
  type FoundArea,
} from './build-area.js';
export { BuildAreaLock, BuildAreaLockedError } from './build-area-lock.js';
export { BuildLog } from './build-log.js';
export { LogRecords, type LoggedPieces, type LogStream } from './log-records.js';
export { LineSplitter, MAX_LINE_BYTES, type LinePiece } from './line-splitter.js';
export { findAltered, MediaTrail, MOST_MEDIA_ENTRIES, type MediaEntry } from './media-trail.js';
export { ReuseRecord, type RecordedState, type RecordedVariant } from './reuse-record.js';
