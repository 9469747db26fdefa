export {
  BuildAreaError,
  findBuildArea,
  openBuildArea,
  type BuildArea,
  type FoundArea,
} from './build-area.js';
export { BuildAreaLock, BuildAreaLockedError } from './build-area-lock.js';
export { BuildLog, type LogStream } from './build-log.js';
export { LineSplitter, MAX_LINE_BYTES, type LinePiece } from './line-splitter.js';
