import type { BuildDetail, JobView, StepView } from '#libs/contracts';
import {
  jobsByVariant,
  optionalVariants,
  rowsOf,
  standingOf,
  type StepMark,
  type VariantStanding,
  type WatchModel,
  type WatchRow,
} from '#libs/watch';

export interface MatrixCell {
  readonly job: JobView;
  readonly step: StepView;
  readonly mark: StepMark | 'reused';
}

/** A variant, with its cells in the order of the steps; `null` where it has no such step. */
export interface MatrixLine {
  readonly variant: string;
  readonly standing: VariantStanding;
  /** Agents that run something of it now. */
  readonly agents: readonly string[];
  /** Why nothing of it runs, or what is done beside steps; empty when there is nothing to say. */
  readonly remark: string;
  readonly cells: readonly (MatrixCell | null)[];
  /** What it is made of. */
  readonly jobs: readonly JobView[];
}

export interface Matrix {
  readonly steps: readonly { readonly name: string; readonly message: string }[];
  readonly lines: readonly MatrixLine[];
  /** What each line depends on beside its jobs. */
  readonly pauseBefore: string | null;
  readonly transfers: WatchModel['transfers'];
}

/**
 * All steps of all variants. Variants may lack steps that others have; a step of the same name is the same step.
 *
 * @param before of the same build: lines whose jobs are the same objects are taken over
 */
export function matrixOf(
  { build, transfers }: Pick<WatchModel, 'build' | 'transfers'>,
  before: Matrix | null = null,
): Matrix {
  const { pauseBefore } = build;
  const steps = before?.steps ?? stepsInOrder(build);
  const byVariant = jobsByVariant(build);
  const known = before?.pauseBefore === pauseBefore && before.transfers === transfers ? before.lines : [];
  const kept = build.variants.map((variant, at) => {
    const line = known[at];
    return line?.variant === variant && areSame(line.jobs, byVariant.get(variant) ?? []) ? line : null;
  });
  const changed = build.variants.flatMap((variant, at) =>
    kept[at] === null ? (byVariant.get(variant) ?? []) : [],
  );
  const rows = new Map(rowsOf({ build, transfers }, changed).map((row, at) => [changed[at], row]));
  const optional = optionalVariants(build);
  const lines = build.variants.map(
    (variant, at) =>
      kept[at] ??
      lineOf(standingOf(variant, byVariant.get(variant) ?? [], optional), {
        steps,
        jobs: byVariant.get(variant) ?? [],
        rows,
      }),
  );
  return { steps, lines, pauseBefore, transfers };
}

function areSame(some: readonly JobView[], others: readonly JobView[]): boolean {
  return some.length === others.length && some.every((job, at) => job === others[at]);
}

interface LineParts {
  readonly steps: Matrix['steps'];
  readonly jobs: readonly JobView[];
  readonly rows: ReadonlyMap<JobView | undefined, WatchRow>;
}

function lineOf(standing: VariantStanding, { steps, jobs, rows }: LineParts): MatrixLine {
  const cells = new Map<string, MatrixCell>();
  for (const job of jobs) {
    job.steps.forEach((step, index) => {
      const mark = step.reusedFrom !== null ? 'reused' : (rows.get(job)?.marks[index] ?? 'waiting');
      cells.set(step.name, { job, step, mark });
    });
  }
  const own = jobs.flatMap((job) => rows.get(job) ?? []);
  return {
    variant: standing.name,
    standing,
    agents: [...new Set(own.flatMap(({ agent }) => agent ?? []))],
    remark: own.find(({ remark }) => remark !== '')?.remark ?? '',
    cells: steps.map(({ name }) => cells.get(name) ?? null),
    jobs,
  };
}

/** By their place in the manifest. */
function stepsInOrder({ jobs }: BuildDetail): Matrix['steps'] {
  const byName = new Map<string, StepView>();
  for (const job of jobs)
    for (const step of job.steps) if (!byName.has(step.name)) byName.set(step.name, step);
  return [...byName.values()]
    .sort((a, b) => a.index - b.index)
    .map(({ name, message }) => ({ name, message }));
}
