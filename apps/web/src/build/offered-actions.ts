import type { BuildDetail } from '#libs/contracts';
import type { MatrixCell } from './matrix.js';

/** What makes sense to ask of a build as it is. Who may, and whether it can be, is the farm's to say. */
export interface OfferedActions {
  readonly pause: boolean;
  /** `resume`: a pause is taken back. `retry`: what failed or was cancelled is tried again. */
  readonly goOn: 'resume' | 'retry' | null;
  readonly cancel: boolean;
}

export function offeredActions({
  state,
  wish,
  pauseBefore,
}: Pick<BuildDetail, 'state' | 'wish' | 'pauseBefore'>): OfferedActions {
  const isOpen = state === 'running' || state === 'waiting';
  const pauses = state === 'paused' || (isOpen && (wish === 'pause' || pauseBefore !== null));
  return {
    pause: isOpen && wish === 'run',
    goOn: pauses ? 'resume' : state === 'failed' || state === 'cancelled' ? 'retry' : null,
    cancel: (isOpen && wish !== 'cancel') || state === 'paused',
  };
}

export interface OfferedStepActions {
  readonly pauseBefore: boolean;
  readonly resumeFrom: boolean;
  readonly retryVariant: boolean;
}

/** At one step of one variant. */
export function offeredStepActions(
  build: Pick<BuildDetail, 'state' | 'wish'>,
  { job, step }: Pick<MatrixCell, 'job' | 'step'>,
): OfferedStepActions {
  const isOver = ['succeeded', 'failed', 'cancelled'].includes(build.state);
  const moves = job.state === 'assigned' || job.state === 'running';
  return {
    pauseBefore: !isOver && build.wish !== 'cancel' && step.state === 'waiting',
    resumeFrom: !moves && step.state !== 'waiting',
    retryVariant: job.state === 'failed' || job.state === 'cancelled',
  };
}
