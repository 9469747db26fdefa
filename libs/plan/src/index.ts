export type { Checkpoint, CheckpointFacts } from './checkpoint.js';
export type { Boundary, Job, JobBase, ManifestDigests, OutputImport, Plan, PlannedStep } from './plan.js';
export { planBuild, type PlanOptions, type ScriptSource } from './plan-build.js';
export { decodeFacts, encodeFacts, factsAt, type BoundaryFacts } from './boundary-facts.js';
export { imageArchitecture } from './image-architecture.js';
export { ingredientChanges } from './ingredient-changes.js';
export { filesDigest, type FileContent } from './files-digest.js';
export { statesToBeginWith, type JobStart, type ReachedBoundary, type StateAtHand } from './state-at-hand.js';
export { foreseeReuse, type ForeseenStep, type StepThatRuns, type VariantToBuild } from './foresee-reuse.js';
export { recordedStep, stepChanges, type RecordedStep } from './recorded-step.js';
export { planKeys, type PlanKeys } from './step-keys.js';
export {
  contentsOf,
  fingerprintOf,
  fingerprintQuestion,
  seesVariable,
  stepIngredients,
  type KeyWorld,
  type StepIngredients,
} from './step-ingredients.js';
export { factsOfTree, findBase, type KnownBase } from './find-base.js';
export {
  chainTo,
  findChanges,
  findResumable,
  findResumableInJob,
  firstChangedStep,
  resumableSteps,
  type ChainBreak,
  type ChainBreakReason,
  type HeldBoundary,
  type Lineage,
  type ManifestChange,
  type ResumableState,
} from './resume-point.js';
export { missingCheckpoints, type KnownCheckpoint } from './missing-checkpoints.js';
export { wayTo, type NewestHere } from './way-to.js';
export {
  chooseStart,
  findStep,
  type ChangePolicy,
  type ResumeRequest,
  type StartDecision,
  type StartRefusal,
  type StartRequest,
} from './choose-start.js';
export { contradictionOf } from './contradiction-of.js';
