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

/** One sentence part, as in "im-pop exited with status 3". */
export function describeOutcome(outcome: StepOutcome): string {
  switch (outcome.kind) {
    case 'succeeded':
      return 'succeeded';
    case 'exited':
      return `exited with status ${outcome.status}`;
    case 'killed':
      return `was terminated by signal ${outcome.signal}`;
    case 'timed-out':
      return `ran longer than its limit of ${outcome.limitSeconds} s`;
    case 'silent':
      return `wrote nothing for ${outcome.limitSeconds} s, its limit`;
    case 'interrupted':
      return `was interrupted (${outcome.reason})`;
    case 'not-started':
      return `could not be started: ${outcome.reason}`;
    case 'out-of-space':
      return `was stopped: ${outcome.report}`;
  }
}
