import type { Selectable } from 'kysely';
import type { AttemptId, BuildId, JobId, StepOutcome, StepState } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { fromJson, toJson } from './json.js';
import type { StepsTable } from './schema.js';

export interface StepRow extends Omit<Selectable<StepsTable>, 'outcome'> {
  readonly outcome: StepOutcome | null;
}

function parseStep(row: Selectable<StepsTable>): StepRow {
  return { ...row, outcome: row.outcome === null ? null : fromJson<StepsTable['outcome']>(row.outcome) };
}

export async function stepsOfBuild(db: Db, build: BuildId): Promise<readonly StepRow[]> {
  const rows = await db
    .selectFrom('steps')
    .innerJoin('jobs', 'jobs.id', 'steps.job_id')
    .selectAll('steps')
    .where('jobs.build_id', '=', build)
    .orderBy('steps.index')
    .execute();
  return rows.map(parseStep);
}

export async function stepsOfJobs(db: Db, jobs: readonly JobId[]): Promise<readonly StepRow[]> {
  if (jobs.length === 0) return [];
  const rows = await db
    .selectFrom('steps')
    .selectAll()
    .where('job_id', 'in', [...jobs])
    .orderBy('index')
    .execute();
  return rows.map(parseStep);
}

export async function stepsOfJob(db: Db, job: JobId): Promise<readonly StepRow[]> {
  const rows = await db.selectFrom('steps').selectAll().where('job_id', '=', job).orderBy('index').execute();
  return rows.map(parseStep);
}

/** How many steps a build has and how many of them have succeeded, for each of the builds. */
export async function countSteps(
  db: Db,
  builds: readonly BuildId[],
): Promise<ReadonlyMap<BuildId, { readonly total: number; readonly done: number }>> {
  const counts = new Map<BuildId, { total: number; done: number }>();
  if (builds.length === 0) return counts;
  const rows = await db
    .selectFrom('steps')
    .innerJoin('jobs', 'jobs.id', 'steps.job_id')
    .select((select) => ['jobs.build_id', 'steps.state', select.fn.countAll<number>().as('count')])
    .where('jobs.build_id', 'in', [...builds])
    .groupBy(['jobs.build_id', 'steps.state'])
    .execute();
  for (const { build_id, state, count } of rows) {
    const sum = counts.get(build_id) ?? { total: 0, done: 0 };
    sum.total += count;
    if (state === 'succeeded') sum.done += count;
    counts.set(build_id, sum);
  }
  return counts;
}

export async function updateStep(
  tx: Db,
  job: JobId,
  index: number,
  change: {
    readonly state: StepState;
    readonly attempt: AttemptId | null;
    readonly startedAt?: number | null;
    readonly endedAt?: number | null;
    readonly outcome?: StepOutcome | null;
    readonly reusedFrom?: BuildId | null;
  },
): Promise<void> {
  const { state, attempt, startedAt, endedAt, outcome, reusedFrom } = change;
  await tx
    .updateTable('steps')
    .set({
      state,
      attempt_id: attempt,
      ...(startedAt === undefined ? {} : { started_at: startedAt }),
      ...(endedAt === undefined ? {} : { ended_at: endedAt }),
      ...(outcome === undefined ? {} : { outcome: outcome === null ? null : toJson(outcome) }),
      ...(reusedFrom === undefined ? {} : { reused_from: reusedFrom }),
    })
    .where('job_id', '=', job)
    .where('index', '=', index)
    .execute();
}

/** The job's steps from this index on are to run (again). */
export async function resetSteps(tx: Db, job: JobId, fromIndex: number): Promise<void> {
  await tx
    .updateTable('steps')
    .set({
      state: 'waiting',
      started_at: null,
      ended_at: null,
      outcome: null,
      attempt_id: null,
      reused_from: null,
    })
    .where('job_id', '=', job)
    .where('index', '>=', fromIndex)
    .execute();
}
