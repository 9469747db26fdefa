import type { PlanPreview } from '#libs/contracts';
import { describeFate, formatDuration } from '#libs/watch';
import type { Tone } from '../kit/state-looks.js';

type PlannedVariant = PlanPreview['variants'][number];
export type PlannedJob = PlannedVariant['jobs'][number];
export type PlannedStep = PlannedJob['steps'][number];

export interface PlanCell {
  readonly variant: string;
  readonly job: PlannedJob;
  readonly step: PlannedStep;
}

export interface PlanLine {
  readonly variant: string;
  readonly isOptional: boolean;
  readonly running: number;
  readonly total: number;
  /** In the order of the table's steps; `null` where the variant has no such step. */
  readonly cells: readonly (PlanCell | null)[];
}

export interface PlanTable {
  readonly steps: readonly { readonly name: string; readonly message: string }[];
  readonly lines: readonly PlanLine[];
}

/** All steps of all variants; a step of the same name is the same step. */
export function planTable({ variants }: PlanPreview): PlanTable {
  const steps = stepsInOrder(variants);
  const lines = variants.map(({ name, optional, jobs }) => {
    const cells = new Map<string, PlanCell>();
    for (const job of jobs) for (const step of job.steps) cells.set(step.name, { variant: name, job, step });
    return {
      variant: name,
      isOptional: optional === true,
      running: [...cells.values()].filter(({ step }) => step.fate === 'runs').length,
      total: cells.size,
      cells: steps.map((step) => cells.get(step.name) ?? null),
    };
  });
  return { steps, lines };
}

/** A step that only some variants have stands behind the one in front of it there. */
function stepsInOrder(variants: readonly PlannedVariant[]): PlanTable['steps'] {
  const order: { readonly name: string; readonly message: string }[] = [];
  const known = new Set<string>();
  for (const { jobs } of variants) {
    let at = 0;
    for (const { name, message } of jobs.flatMap((job) => job.steps)) {
      if (known.has(name)) at = order.findIndex((step) => step.name === name) + 1;
      else {
        known.add(name);
        order.splice(at, 0, { name, message });
        at += 1;
      }
    }
  }
  return order;
}

/** How a fate is shown: its shape and its word say it, the colour only repeats it. */
export const FATES: Readonly<
  Record<PlannedStep['fate'], { readonly glyph: string; readonly word: string; readonly tone: Tone }>
> = {
  runs: { glyph: '▶', word: 'runs', tone: 'busy' },
  reused: { glyph: '↺', word: 'reused', tone: 'good' },
  shared: { glyph: '⇉', word: 'shared', tone: 'calm' },
};

/** `de, im-pop: runs, usually 3m05s; "packages" gained "vim"` */
export function describePlanCell({ variant, step }: PlanCell): string {
  const more = describeFate(step);
  return `${variant}, ${step.name}: ${FATES[step.fate].word}${more === '' ? '' : `, ${more}`}`;
}

/** What fits in a cell beside its glyph; empty where nothing is known. */
export function cellTime({ fate, usualMs }: PlannedStep): string {
  return fate !== 'runs' || usualMs === null ? '' : formatDuration(usualMs);
}
