import { describeOutcome, formatDuration } from '#libs/watch';
import { lookOf } from '../kit/state-looks.js';
import type { MatrixCell } from './matrix.js';

/** `gnome, im-pop: running for 1m20s, usually 3m05s` */
export function describeCell({ job, step, mark }: MatrixCell, now: number): string {
  const took = tookOf(step, now);
  const parts = [
    `${lookOf(mark).word}${took === null ? '' : mark === 'running' ? ` for ${formatDuration(took)}` : ` in ${formatDuration(took)}`}`,
    ...(step.usualMs === null ? [] : [`usually ${formatDuration(step.usualMs)}`]),
    ...(mark === 'failed' && step.outcome !== null ? [describeOutcome(step.outcome)] : []),
  ];
  return `${job.variant}, ${step.name}: ${parts.join(', ')}`;
}

/** Milliseconds that it has taken so far; `null` when it has not begun. */
export function tookOf(step: Pick<MatrixCell['step'], 'startedAt' | 'endedAt'>, now: number): number | null {
  return step.startedAt === null ? null : Math.max(0, (step.endedAt ?? now) - step.startedAt);
}

/** Share of the usual time, 0 to 1; `null` where nothing is usual yet. */
export function shareOf(step: MatrixCell['step'], now: number): number | null {
  const took = tookOf(step, now);
  if (took === null || step.usualMs === null || step.usualMs === 0) return null;
  return Math.min(1, took / step.usualMs);
}
