import type { JobId, VariantId } from '#libs/contracts';
import { inChunks } from './builds.js';
import type { Db } from './farm-database.js';
import { groupBy } from './group-by.js';
import type { BoundaryKeysTable, StatesTable } from './schema.js';

/** A job, as far as it says where its first state comes from. */
export interface JobOfStates {
  readonly id: JobId;
  readonly variant_id: VariantId;
  readonly index: number;
  /** Index of the job that it goes on from. */
  readonly base_job: number | null;
  readonly end_key: string | null;
}

interface StepOfStates {
  readonly job_id: JobId;
  readonly index: number;
  readonly name: string;
}

/** Where each key of the jobs' boundaries comes from. Boundaries are in front of steps: the second is behind the first step. */
export function statesOf(
  jobs: readonly JobOfStates[],
  steps: readonly StepOfStates[],
  keys: readonly BoundaryKeysTable[],
): readonly StatesTable[] {
  const ends = new Map(jobs.map((job) => [`${job.variant_id} ${job.index}`, job.end_key]));
  const stepsOf = groupBy(steps, ({ job_id }) => job_id);
  const keysOf = groupBy(keys, ({ job_id }) => job_id);
  const states = new Map<string, StatesTable>();
  for (const { id, variant_id, base_job } of jobs) {
    const names = (stepsOf.get(id) ?? []).toSorted((a, b) => a.index - b.index).map(({ name }) => name);
    let parent = base_job === null ? null : (ends.get(`${variant_id} ${base_job}`) ?? null);
    for (const { key, position } of (keysOf.get(id) ?? []).toSorted((a, b) => a.position - b.position)) {
      if (!states.has(key)) states.set(key, { key, parent, step: names[position - 2] ?? null });
      parent = key;
    }
  }
  return [...states.values()];
}

/** What is known of a key stays so: it cannot come to mean something else. */
export async function keepStates(tx: Db, states: readonly StatesTable[]): Promise<void> {
  // Always in the same order, so that submissions at the same time wait for each other, and not in a circle.
  const sorted = states.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  await inChunks(sorted, 500, async (some) => {
    await tx
      .insertInto('states')
      .values(some)
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute();
  });
}

/** The same for jobs that are in the record. */
export async function keepStatesOfJobs(
  tx: Db,
  ids: readonly JobId[],
  keys: readonly BoundaryKeysTable[],
): Promise<void> {
  const variants = new Set<VariantId>();
  await inChunks(ids, 500, async (some) => {
    const rows = await tx.selectFrom('jobs').select('variant_id').where('id', 'in', some).execute();
    for (const { variant_id } of rows) variants.add(variant_id);
  });
  const states: StatesTable[] = [];
  const keysOf = groupBy(keys, ({ job_id }) => job_id);
  await inChunks([...variants], 100, async (some) => {
    const jobs = await tx
      .selectFrom('jobs')
      .select(['id', 'variant_id', 'index', 'base_job', 'end_key'])
      .where('variant_id', 'in', some)
      .execute();
    const steps = await tx
      .selectFrom('steps')
      .innerJoin('jobs', 'jobs.id', 'steps.job_id')
      .select(['steps.job_id', 'steps.index', 'steps.name'])
      .where('jobs.variant_id', 'in', some)
      .execute();
    states.push(
      ...statesOf(
        jobs,
        steps,
        jobs.flatMap(({ id }) => keysOf.get(id) ?? []),
      ),
    );
  });
  await keepStates(tx, states);
}
