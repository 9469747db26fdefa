import type { BuildId } from '#libs/contracts';
import type { Job, Plan, PlanKeys, PlannedStep, StepThatRuns } from '#libs/plan';

/** A variant with its step keys. */
export interface KeyedVariant {
  readonly name: string;
  readonly plan: Plan;
  readonly keys: PlanKeys;
}

/** By step key, the build that made it. */
export interface AtHand {
  /** Jobs' whole results. */
  readonly results: ReadonlyMap<string, BuildId>;
  /** States that agents hold. */
  readonly states: ReadonlyMap<string, BuildId>;
}

/** What would become of a step, were its build submitted now. */
export type StepFate =
  | { readonly kind: 'reused'; readonly from: BuildId }
  /** An equal one of a variant before it runs, and this one goes on from there. */
  | { readonly kind: 'shared'; readonly with: string }
  | StepThatRuns;

/** The trie of a submission, before anything runs: by variant, the fates of its steps by index. */
export function planReuse(
  variants: readonly KeyedVariant[],
  atHand: AtHand,
): ReadonlyMap<string, ReadonlyMap<number, StepFate>> {
  const runsFor = new Map<string, string>();
  return new Map(
    variants.map((variant) => {
      const fates = new Map<number, StepFate>();
      const made = new Set<number>();
      for (const job of variant.plan.jobs) {
        const isBehind = sourcesOf(job, variant.plan).some((source) => made.has(source));
        for (const [step, fate] of fatesOf(job, isBehind, variant, atHand, runsFor)) {
          fates.set(step.index, fate);
          if (fate.kind !== 'reused') made.add(job.index);
        }
      }
      return [variant.name, fates];
    }),
  );
}

/** Jobs whose ends it begins with. */
function sourcesOf({ index, base, imports }: Job, { jobs }: Plan): readonly number[] {
  const lanes = imports.map(({ lane }) =>
    jobs.findLastIndex((job) => job.index < index && job.lane === lane),
  );
  return base.kind === 'empty' ? lanes : [base.boundary.job, ...lanes];
}

function fatesOf(
  job: Job,
  isBehindOthers: boolean,
  variant: KeyedVariant,
  { results, states }: AtHand,
  runsFor: Map<string, string>,
): readonly (readonly [PlannedStep, StepFate])[] {
  const { keys } = variant;
  const end = keys.ends[job.index] ?? null;
  const whole = end === null ? undefined : results.get(end);
  const behind = job.steps.map((step) => keyBehind(job, step, variant));
  const held = behind.map((key) => (key === null ? undefined : states.get(key)));
  const reached = whole === undefined ? held.findLastIndex((build) => build !== undefined) : Infinity;
  const from = whole ?? held[reached];
  let isBehind = isBehindOthers;
  return job.steps.map((step, at): readonly [PlannedStep, StepFate] => {
    if (from !== undefined && at <= reached) return [step, { kind: 'reused', from }];
    const key = behind[at] ?? null;
    const other = key === null ? undefined : runsFor.get(key);
    if (other !== undefined) {
      isBehind = true;
      return [step, { kind: 'shared', with: other }];
    }
    if (key !== null) runsFor.set(key, variant.name);
    const fate = { kind: 'runs', isBehind, isUnknown: key === null } as const;
    isBehind = true;
    return [step, fate];
  });
}

/** Step key of the state that the step leads to. */
function keyBehind(job: Job, step: PlannedStep, { plan, keys }: KeyedVariant): string | null {
  const boundary = plan.boundaries.find(
    ({ job: of, after }) => of === job.index && after?.index === step.index,
  );
  if (boundary !== undefined) return keys.boundaries[boundary.index] ?? null;
  return job.steps.at(-1) === step ? (keys.ends[job.index] ?? null) : null;
}
