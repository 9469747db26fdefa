import type { PlannedStep } from '#libs/plan';
import type { Workspace } from './snapshot-store.js';

/** Port: runs one step's script in a workspace, to its end. */
export abstract class StepRunner {
  /**
   * Resolves when the script and all it started are gone. An aborted signal ends them: first politely, then not.
   * Does not throw for anything the script does.
   */
  abstract run(step: PlannedStep, workspace: Workspace, signal: AbortSignal): Promise<StepOutcome>;
}

/** How a step ended. Each member says whether running it again unchanged can help. */
export type StepOutcome =
  | { readonly kind: 'succeeded' }
  /** The script's own verdict, 1 to 255: mend the script or what it read. */
  | { readonly kind: 'exited'; readonly status: number }
  /** Killed from outside our control (by itself, the kernel's OOM killer, a person). */
  | { readonly kind: 'killed'; readonly signal: string }
  /** Ran longer than `farm:timeout` allows. */
  | { readonly kind: 'timed-out'; readonly limitSeconds: number }
  /** Wrote nothing for as long as `farm:silence` allows. */
  | { readonly kind: 'silent'; readonly limitSeconds: number }
  /** We ended it because the build was told to stop; resume repeats the step. */
  | { readonly kind: 'interrupted'; readonly reason: string }
  /** The script could not be started at all. */
  | { readonly kind: 'not-started'; readonly reason: string }
  /** The build area filled up, or the image outgrew its limit; `report` says what filled it. Make room, then resume. */
  | { readonly kind: 'out-of-space'; readonly report: string };
