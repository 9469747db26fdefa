import type { StepRow, WaitingJobRow } from '#libs/store';
import type { WaitingJob } from '../decide/placement-input.js';

const STEP_LABEL = /^\.step_(.+)$/;
const END_LABEL = /^\.end_/;

/**
 * Which of a job's boundaries a label is, from 1 on; 0: none that is good for it.
 *
 * @param steps of the job, in order
 * @param upToIndex of an earlier lineage, the step in front of which its checkpoints end to be good; else Infinity
 */
export function boundaryPosition(
  label: string,
  steps: readonly Pick<StepRow, 'name' | 'index'>[],
  upToIndex: number,
): number {
  if (END_LABEL.test(label)) return upToIndex === Infinity ? steps.length + 1 : 0;
  const name = STEP_LABEL.exec(label)?.[1];
  return steps.findIndex((step) => step.name === name && step.index <= upToIndex) + 1;
}

/** The job's finished steps, up to the first that is not; without a last one that no checkpoint keeps. */
export function doneSteps(
  { hasEnd }: Pick<WaitingJobRow, 'hasEnd'>,
  steps: readonly Pick<StepRow, 'name' | 'state' | 'started_at' | 'ended_at'>[],
): WaitingJob['done'] {
  const open = steps.findIndex(({ state }) => state !== 'succeeded');
  const kept = open >= 0 ? steps.slice(0, open) : hasEnd ? steps : steps.slice(0, -1);
  return kept.map(({ name, started_at, ended_at }) => ({
    name,
    ms: started_at === null || ended_at === null ? null : Math.max(0, ended_at - started_at),
  }));
}

/** Labels of the job's boundaries in front of steps, then of the one at its end. */
export function boundaryLabels(steps: readonly Pick<StepRow, 'name'>[]): readonly string[] {
  const last = steps.at(-1);
  return [...steps.map(({ name }) => `.step_${name}`), ...(last === undefined ? [] : [`.end_${last.name}`])];
}

/** How many steps are in front of the latest one from which on a person had the job run again. */
export function orderedSteps(
  ancestors: WaitingJobRow['ancestors'],
  steps: readonly Pick<StepRow, 'index'>[],
): number {
  const from = Math.max(-1, ...ancestors.map(({ upToIndex }) => upToIndex));
  return steps.filter(({ index }) => index < from).length;
}
