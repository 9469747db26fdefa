import { MAIN_LANE } from './plan-build.js';
import type { Job, Plan, PlannedStep } from './plan.js';
import { statesToBeginWith, type StateAtHand } from './state-at-hand.js';
import type { PlanKeys } from './step-keys.js';

/** A variant that is to be built, with its step keys. */
export interface VariantToBuild {
  readonly name: string;
  readonly plan: Plan;
  readonly keys: PlanKeys;
  readonly pauseBefore: PlannedStep | null;
}

/** What will become of a step. */
export type ForeseenStep =
  /** Its work is in a checkpoint that the job begins with, of this label. */
  | { readonly kind: 'reused'; readonly checkpoint: string }
  /** The build of a variant before this one runs it. */
  | { readonly kind: 'shared'; readonly with: string }
  | StepThatRuns;

export interface StepThatRuns {
  readonly kind: 'runs';
  /** What it goes on from is made by a step of its variant that runs, too, or is shared: no wonder that nothing is the same. */
  readonly isBehind: boolean;
  /** Nobody can say what it is equal to. */
  readonly isUnknown: boolean;
}

interface Foreseen extends StateAtHand {
  /** The variant whose build takes it; `null`: it is there. */
  readonly by: string | null;
}

/**
 * What builds of these variants, one after the other in one build area, will do: by variant, the steps by index. A build goes back in its workspace, and what was behind is lost to the
 * variants after it.
 *
 * @param area by workspace, the states at hand, oldest first
 */
export function foreseeReuse(
  variants: readonly VariantToBuild[],
  area: ReadonlyMap<string, readonly StateAtHand[]>,
): ReadonlyMap<string, ReadonlyMap<number, ForeseenStep>> {
  const now = new Map<string, readonly Foreseen[]>(
    [...area].map(([workspace, states]) => [workspace, states.map((state) => ({ ...state, by: null }))]),
  );
  return new Map(variants.map((variant) => [variant.name, foreseeVariant(variant, now)]));
}

function foreseeVariant(
  variant: VariantToBuild,
  area: Map<string, readonly Foreseen[]>,
): ReadonlyMap<number, ForeseenStep> {
  const { plan, keys, pauseBefore } = variant;
  const steps = new Map<number, ForeseenStep>();
  const made = new Set<number>();
  for (const job of plan.jobs) {
    const states = area.get(job.workspace) ?? [];
    const [reached] = statesToBeginWith(plan, keys, { job, pauseBefore, made }, states);
    const isBehindOthers = sourcesOf(job, plan).some((source) => made.has(source));
    for (const [step, fate] of fatesOf(job, variant, reached ?? null, states, isBehindOthers)) {
      steps.set(step.index, fate);
      if (fate.kind === 'runs') made.add(job.index);
    }
    if (made.has(job.index)) makeStates(job, variant, reached?.state ?? null, area);
    if (isPausedIn(job, pauseBefore)) break;
  }
  return steps;
}

/** Jobs whose ends it begins with; for main also the lanes before it, whose media it could look at (`KeyWorld.oneMediaFolder`). */
function sourcesOf({ index, base, lane }: Job, { jobs }: Plan): readonly number[] {
  const previous = jobs.findLastIndex((job) => job.index < index && job.lane === lane);
  const lanes = lane === MAIN_LANE ? jobs.slice(previous + 1, index).map((job) => job.index) : [];
  return base.kind === 'empty' ? lanes : [base.boundary.job, ...lanes];
}

function isPausedIn(job: Job, pause: PlannedStep | null): boolean {
  return pause !== null && job.steps.some(({ index }) => index >= pause.index);
}

type Reached = ReturnType<typeof statesToBeginWith<Foreseen>>[number];

function fatesOf(
  { steps }: Job,
  { plan, keys, pauseBefore }: VariantToBuild,
  reached: Reached | null,
  states: readonly Foreseen[],
  isBehindOthers: boolean,
): readonly (readonly [PlannedStep, ForeseenStep])[] {
  const last = reached?.boundary.after?.index ?? -1;
  let isBehind = isBehindOthers;
  return steps
    .filter(({ index }) => pauseBefore === null || index < pauseBefore.index)
    .map((step): readonly [PlannedStep, ForeseenStep] => {
      const behind = plan.boundaries.find(({ after }) => after?.index === step.index);
      if (reached !== null && step.index <= last) {
        const { by, label } = states.find((state) => state.label === behind?.label) ?? reached.state;
        return [step, by === null ? { kind: 'reused', checkpoint: label } : { kind: 'shared', with: by }];
      }
      const isUnknown = behind !== undefined && (keys.boundaries[behind.index] ?? null) === null;
      const fate = { kind: 'runs', isBehind, isUnknown } as const;
      isBehind = true;
      return [step, fate];
    });
}

/** The area as it is when the steps of the job have run. */
function makeStates(
  job: Job,
  { name, plan, keys, pauseBefore }: VariantToBuild,
  from: Foreseen | null,
  area: Map<string, readonly Foreseen[]>,
): void {
  const states = area.get(job.workspace) ?? [];
  const base = job.base.kind === 'continue' ? job.base.boundary.label : null;
  const at = from === null ? states.findLastIndex(({ label }) => label === base) : states.indexOf(from);
  const own = plan.boundaries.filter((boundary) => {
    if (boundary.job !== job.index) return false;
    const isWanted = pauseBefore === null || (boundary.after?.index ?? -1) < pauseBefore.index;
    return isWanted && (from === null || boundary.index > indexOf(plan, job, from.label));
  });
  const taken = own.flatMap(({ index, label }) => {
    const key = keys.boundaries[index] ?? null;
    return key === null ? [] : [{ label, key, by: name }];
  });
  area.set(job.workspace, [...states.slice(0, at + 1), ...taken]);
  for (const workspace of area.keys()) if (wasForked(workspace, job, plan)) area.delete(workspace);
}

function indexOf(plan: Plan, job: Job, label: string): number {
  return plan.boundaries.find((each) => each.job === job.index && each.label === label)?.index ?? -1;
}

/** Whether the workspace was forked from a state that is not there any more. Of one that the plan does not know, who can say: it is of no use to it, either. */
function wasForked(workspace: string, job: Job, { jobs }: Plan): boolean {
  const own = jobs.filter((each) => each.workspace === workspace);
  return own.length === 0 || own.some(({ base }) => base.kind === 'fork' && base.boundary.job === job.index);
}
