export { SnapshotStore, SnapshotStoreError } from './snapshot-store.js';
export type {
  CheckpointId,
  PartialReceive,
  SnapshotStoreErrorCode,
  Space,
  Workspace,
} from './snapshot-store.js';
export { StepRunner, type StepOutcome } from './step-runner.js';
export { OutputCarrier, OutputError } from './output-carrier.js';
export type { BuildEvent } from './build-event.js';
export {
  runJob,
  runPlan,
  type BuildPorts,
  type BuildRequest,
  type BuildResult,
  type JobRequest,
  type StepFailure,
} from './run-plan.js';
