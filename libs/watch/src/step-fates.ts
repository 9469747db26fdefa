import { formatDuration } from './durations.js';

/** What becomes of a planned step, on a farm as on one machine. */
export interface FatedStep {
  readonly fate: 'reused' | 'shared' | 'runs';
  /** What it is as in, or the variant that it is with; `null` where it runs. */
  readonly of: string | null;
  /** Why it runs; empty: there is nothing to say. */
  readonly why: string;
  readonly usualMs: number | null;
}

/** `as in b-…`, `with variant de`, or how long it usually takes and why it runs. */
export function describeFate({ fate, of, why, usualMs }: FatedStep): string {
  if (fate === 'reused') return `as in ${of ?? ''}`;
  if (fate === 'shared') return `with variant ${of ?? ''}`;
  const usual = usualMs === null ? [] : [`usually ${formatDuration(usualMs)}`];
  return [...usual, ...(why === '' ? [] : [why])].join('; ');
}

/** `3 of 7 steps run, usually 2m05s of work`; `all 7 steps run` */
export function describeSum(steps: readonly FatedStep[]): string {
  const running = steps.filter(({ fate }) => fate === 'runs');
  const usual = running.reduce((sum, { usualMs }) => sum + (usualMs ?? 0), 0);
  const work = usual === 0 ? '' : `, usually ${formatDuration(usual)} of work`;
  if (steps.length === 1 && running.length === 1) return `the only step runs${work}`;
  const share =
    running.length === steps.length ? `all ${steps.length}` : `${running.length} of ${steps.length}`;
  return `${share} steps run${work}`;
}

/** That; empty where nothing is reused or shared. */
export function sumLine(steps: readonly FatedStep[]): readonly string[] {
  return steps.every(({ fate }) => fate === 'runs') ? [] : [describeSum(steps)];
}
