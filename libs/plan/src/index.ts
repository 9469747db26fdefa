export type { Checkpoint, CheckpointFacts } from './checkpoint.js';
export type { Boundary, Job, JobBase, ManifestDigests, OutputImport, Plan, PlannedStep } from './plan.js';
export { planBuild, type ScriptSource } from './plan-build.js';
export { decodeFacts, encodeFacts, factsAt, type BoundaryFacts } from './boundary-facts.js';
export { imageArchitecture } from './image-architecture.js';
export { ingredientChanges } from './ingredient-changes.js';
export { planKeys, type PlanKeys } from './step-keys.js';
export { seesVariable, stepIngredients, type KeyWorld, type StepIngredients } from './step-ingredients.js';
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
