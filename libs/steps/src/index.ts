export { missingTools } from './find-tools.js';
export { answerFromManifest } from './answer-from-manifest.js';
export { AskedReads } from './asked-reads.js';
export {
  ManifestSocket,
  removeDeadManifestSockets,
  type AnswerQuery,
  type QueryAnswer,
} from './manifest-socket.js';
export { includesBelow } from './includes-below.js';
export { fingerprintProgram } from './fingerprint-program.js';
export { scriptPath } from './script-path.js';
export { readScript, scriptHeader, type ScriptFile, type ScriptFileResult } from './script-source.js';
export { ScriptRunner, type ScriptRunnerOptions } from './script-runner.js';
export { spaceFloor, SpaceWatch, type SpaceWatchOptions } from './space-watch.js';
export { toolVersions } from './tool-versions.js';
export { diskUsage, type DiskUsage } from './disk-usage.js';
export type { StepStream } from './step-process.js';
export {
  ownVariables,
  sourceDateEpoch,
  stepEnvironment,
  SYSTEM_PATH,
  type EnvironmentSource,
} from './step-environment.js';
export {
  FINGERPRINT_LIMIT_BYTES,
  FINGERPRINT_LIMIT_MS,
  runFingerprint,
  type FingerprintFailure,
  type FingerprintResult,
  type FingerprintRun,
} from './run-fingerprint.js';
