import { newId, type BuildId } from '#libs/contracts';
import { imageArchitecture, type Job, type Plan, type PlanKeys } from '#libs/plan';
import type { Manifest } from '#libs/manifest';
import type {
  BoundaryKeyRow,
  JobBaseRecord,
  JobImportRecord,
  JobRequirements,
  JobRow,
  StepRow,
  VariantRow,
} from '#libs/store';
import type { PlannedVariant } from './plan-submission.js';

/** What a planned variant becomes in the database. */
export interface VariantRows {
  readonly variant: VariantRow;
  readonly jobs: readonly JobRow[];
  readonly steps: readonly StepRow[];
  readonly keys: readonly BoundaryKeyRow[];
}

/** Pure but for the new ids. Every job is blocked at first: settling the build lets go those that can. */
export function planRows(
  build: BuildId,
  { name, isOptional, manifest, plan }: PlannedVariant,
  keys: PlanKeys,
): VariantRows {
  const variant: VariantRow = {
    id: newId('v'),
    build_id: build,
    name,
    plan_content_sha256: plan.digests.content,
    optional: isOptional ? 1 : 0,
    keys_wait: 0,
  };
  const jobs = plan.jobs.map((job): JobRow => {
    return {
      id: newId('j'),
      build_id: build,
      variant_id: variant.id,
      index: job.index,
      lane: job.lane,
      workspace: job.workspace,
      state: 'blocked',
      waiting_reason: '',
      waiting_since: null,
      needs: needsOf(plan, job),
      base: baseOf(job),
      imports: importsOf(plan, job),
      requires: requirementsOf(manifest, job),
      end_label: endLabelOf(plan, job),
      end_checkpoint: null,
      end_key: keys.ends[job.index] ?? null,
      end_origin: null,
      epoch: 0,
      generation: 1,
      ancestry: [],
      retries: 0,
      avoid: [],
      ended_at: null,
    };
  });
  const steps = plan.jobs.flatMap((job, position) =>
    job.steps.map((step): StepRow => ({
      job_id: (jobs[position] as JobRow).id,
      index: step.index,
      name: step.name,
      message: step.message,
      state: 'waiting',
      started_at: null,
      ended_at: null,
      outcome: null,
      attempt_id: null,
      reused_from: null,
    })),
  );
  const boundaryKeys = plan.jobs.flatMap((job, position) =>
    boundaryPositions(plan, job, keys).map((each) => ({ job_id: (jobs[position] as JobRow).id, ...each })),
  );
  return { variant, jobs, steps, keys: boundaryKeys };
}

/** The keys that are known of a job's boundaries, in their order. */
export function boundaryPositions(
  plan: Plan,
  { index }: Job,
  keys: PlanKeys,
): readonly Pick<BoundaryKeyRow, 'position' | 'key'>[] {
  return plan.boundaries
    .filter(({ job }) => job === index)
    .flatMap(({ index: boundary }, at) => {
      const key = keys.boundaries[boundary] ?? null;
      return key === null ? [] : [{ position: at + 1, key }];
    });
}

/** The job whose end it goes on from, and those whose outputs it brings in. */
export function needsOf(plan: Plan, job: Job): readonly number[] {
  const base = baseOf(job);
  const imports = importsOf(plan, job).map((output) => output.job);
  return [...new Set([...(base === null ? [] : [base.job]), ...imports])].toSorted((a, b) => a - b);
}

function baseOf({ base }: Job): JobBaseRecord | null {
  if (base.kind === 'empty') return null;
  const { job, workspace, label } = base.boundary;
  return { job, workspace, label };
}

/** A lane that ran in several jobs has all its outputs at the end of the last of them before this one. */
function importsOf(plan: Plan, job: Job): readonly JobImportRecord[] {
  return job.imports.map(({ lane, path }) => {
    const writer = plan.jobs.findLast((other) => other.index < job.index && other.lane === lane);
    if (writer === undefined) throw new RangeError(`no job of lane "${lane}" in front of job ${job.index}`);
    return { lane, path, job: writer.index };
  });
}

/** Set when another job forks from or continues this one's end. */
function endLabelOf(plan: Plan, job: Job): string | null {
  const from = plan.jobs.find(({ base }) => base.kind !== 'empty' && base.boundary.job === job.index);
  return from === undefined || from.base.kind === 'empty' ? null : from.base.boundary.label;
}

/** What an agent must have. */
function requirementsOf(manifest: Manifest, job: Job): JobRequirements {
  const own = job.steps.flatMap(({ index }) => manifest.steps[index]?.requires ?? []);
  return {
    architecture: imageArchitecture(job),
    labels: [...new Set(own.flatMap(({ labels }) => labels))].toSorted(),
    tools: [...new Set(own.flatMap(({ tools }) => tools))].toSorted(),
    freeBytes: Math.max(0, ...own.map(({ freeBytes }) => freeBytes)),
  };
}
