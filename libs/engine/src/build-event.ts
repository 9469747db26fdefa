import type { Boundary, Checkpoint, Job, PlannedStep } from '#libs/plan';
import type { StepOutcome } from './step-runner.js';

/** What the loop reports while it runs, in order. The engine writes no logs and prints nothing. */
export type BuildEvent =
  | { readonly type: 'job-started'; readonly job: Job }
  | {
      readonly type: 'output-imported';
      readonly job: Job;
      readonly lane: string;
      readonly path: string;
      readonly digest: string;
    }
  /** Nothing of it has to run: the state that it ends in is at hand. */
  | { readonly type: 'job-reused'; readonly job: Job; readonly checkpoint: Checkpoint }
  | { readonly type: 'resumed'; readonly before: PlannedStep; readonly checkpoint: Checkpoint }
  | { readonly type: 'step-started'; readonly step: PlannedStep }
  | { readonly type: 'step-ended'; readonly step: PlannedStep; readonly outcome: StepOutcome }
  | { readonly type: 'checkpoint-taken'; readonly boundary: Boundary; readonly checkpoint: Checkpoint };
