import type { BuildDetail, JobView, StepView } from '#libs/contracts';
import { variantStandings, viewOf, type StepMark, type VariantStanding, type WatchModel } from '#libs/watch';

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
}

export interface Matrix {
  readonly steps: readonly { readonly name: string; readonly message: string }[];
  readonly lines: readonly MatrixLine[];
}

/** All steps of all variants. Variants may lack steps that others have; a step of the same name is the same step. */
export function matrixOf(model: WatchModel): Matrix {
  const { build } = model;
  const view = viewOf(model);
  const cells = new Map<string, Map<string, MatrixCell>>();
  const remarks = new Map<string, string[]>();
  const agents = new Map<string, string[]>();
  build.jobs.forEach((job, at) => {
    const row = view.rows[at];
    const own = entryOf(cells, job.variant, () => new Map<string, MatrixCell>());
    job.steps.forEach((step, index) => {
      const mark = step.reusedFrom !== null ? 'reused' : (row?.marks[index] ?? 'waiting');
      own.set(step.name, { job, step, mark });
    });
    if (row !== undefined && row.remark !== '')
      entryOf(remarks, job.variant, (): string[] => []).push(row.remark);
    if (row?.agent != null) entryOf(agents, job.variant, (): string[] => []).push(row.agent);
  });
  const steps = stepsInOrder(build);
  const lines = variantStandings(build).map((standing) => ({
    variant: standing.name,
    standing,
    agents: [...new Set(agents.get(standing.name))],
    remark: remarks.get(standing.name)?.[0] ?? '',
    cells: steps.map(({ name }) => cells.get(standing.name)?.get(name) ?? null),
  }));
  return { steps, lines };
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

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
