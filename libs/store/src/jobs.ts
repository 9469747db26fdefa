import type { Selectable, Updateable } from 'kysely';
import type { AgentId, BuildId, JobId, JobState, VariantId } from '#libs/contracts';
import { inChunks } from './builds.js';
import type { Db } from './farm-database.js';
import { groupBy } from './group-by.js';
import { fromJson, toJson } from './json.js';
import type {
  BoundaryKeysTable,
  EndOriginRecord,
  JobAncestor,
  JobBaseRecord,
  JobImportRecord,
  JobRequirements,
  JobsTable,
} from './schema.js';
import { keepStates, statesOf } from './states.js';
import type { StepRow } from './steps.js';

export interface JobRow extends Omit<
  Selectable<JobsTable>,
  | 'needs'
  | 'base_job'
  | 'base_workspace'
  | 'base_label'
  | 'imports'
  | 'requires'
  | 'end_origin'
  | 'ancestry'
  | 'avoid'
> {
  readonly needs: readonly number[];
  readonly base: JobBaseRecord | null;
  readonly imports: readonly JobImportRecord[];
  readonly requires: JobRequirements;
  readonly end_origin: EndOriginRecord | null;
  readonly ancestry: readonly JobAncestor[];
  readonly avoid: readonly AgentId[];
}

/** Kept in every checkpoint of a job; see Assignment.lineage. */
export function lineageOf(build: BuildId, variant: string, index: number, generation: number): string {
  return `${build}/${variant}/${index}/g${generation}`;
}

function parseJob(row: Selectable<JobsTable>): JobRow {
  const { base_job: job, base_workspace: workspace, base_label: label, ...rest } = row;
  return {
    ...rest,
    needs: fromJson<JobsTable['needs']>(row.needs),
    base: job === null || workspace === null || label === null ? null : { job, workspace, label },
    imports: fromJson<JobsTable['imports']>(row.imports),
    requires: fromJson<JobsTable['requires']>(row.requires),
    end_origin: row.end_origin === null ? null : fromJson<JobsTable['end_origin']>(row.end_origin),
    ancestry: fromJson<JobsTable['ancestry']>(row.ancestry),
    avoid: fromJson<JobsTable['avoid']>(row.avoid),
  };
}

export type BoundaryKeyRow = Selectable<BoundaryKeysTable>;

export async function insertJobs(
  tx: Db,
  jobs: readonly JobRow[],
  steps: readonly StepRow[],
  keys: readonly BoundaryKeyRow[],
): Promise<void> {
  await inChunks(jobs, 40, async (chunk) => {
    const rows = chunk.map(({ base, ...job }) => ({
      ...job,
      needs: toJson(job.needs),
      base_job: base?.job ?? null,
      base_workspace: base?.workspace ?? null,
      base_label: base?.label ?? null,
      imports: toJson(job.imports),
      requires: toJson(job.requires),
      end_origin: job.end_origin === null ? null : toJson(job.end_origin),
      ancestry: toJson(job.ancestry),
      avoid: toJson(job.avoid),
    }));
    await tx.insertInto('jobs').values(rows).execute();
  });
  await inChunks(steps, 100, async (chunk) => {
    const rows = chunk.map((step) => ({
      ...step,
      outcome: step.outcome === null ? null : toJson(step.outcome),
    }));
    await tx.insertInto('steps').values(rows).execute();
  });
  await inChunks(keys, 500, async (chunk) => {
    await tx.insertInto('boundary_keys').values(chunk).execute();
  });
  const known = jobs.map(({ base, ...job }) => ({ ...job, base_job: base?.job ?? null }));
  await keepStates(tx, statesOf(known, steps, keys));
}

export async function findJob(db: Db, id: JobId): Promise<JobRow | null> {
  const row = await db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : parseJob(row);
}

/** What reports want to know of the job that they are about. */
export interface ReportedJob {
  readonly id: JobId;
  readonly lane: string;
  readonly variant: string;
  readonly retries: number;
  readonly build: {
    readonly id: BuildId;
    readonly name: string;
    readonly startedAt: number | null;
    readonly replicas: number;
  };
  /** Names by index. */
  readonly steps: ReadonlyMap<number, string>;
}

/** Reports are most of what comes, so this reads no more than they need. */
export async function findReportedJob(db: Db, id: JobId): Promise<ReportedJob | null> {
  const row = await db
    .selectFrom('jobs')
    .innerJoin('builds', 'builds.id', 'jobs.build_id')
    .innerJoin('variants', 'variants.id', 'jobs.variant_id')
    .select([
      'jobs.lane',
      'jobs.retries',
      'jobs.build_id',
      'variants.name as variant',
      'builds.name',
      'builds.started_at',
      'builds.replicas',
    ])
    .where('jobs.id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return null;
  const steps = await db.selectFrom('steps').select(['index', 'name']).where('job_id', '=', id).execute();
  return {
    id,
    lane: row.lane,
    variant: row.variant,
    retries: row.retries,
    build: { id: row.build_id, name: row.name, startedAt: row.started_at, replicas: row.replicas },
    steps: new Map(steps.map(({ index, name }) => [index, name])),
  };
}

/** In the order of variants, then of the plan. */
export async function jobsOfBuild(db: Db, build: BuildId): Promise<readonly JobRow[]> {
  const rows = await db
    .selectFrom('jobs')
    .selectAll()
    .where('build_id', '=', build)
    .orderBy('variant_id')
    .orderBy('index')
    .execute();
  return rows.map(parseJob);
}

export async function jobsOfVariant(db: Db, variant: VariantId): Promise<readonly JobRow[]> {
  const rows = await db
    .selectFrom('jobs')
    .selectAll()
    .where('variant_id', '=', variant)
    .orderBy('index')
    .execute();
  return rows.map(parseJob);
}

export interface JobChange extends Omit<
  Updateable<JobsTable>,
  | 'id'
  | 'needs'
  | 'base_job'
  | 'base_workspace'
  | 'base_label'
  | 'imports'
  | 'requires'
  | 'end_origin'
  | 'ancestry'
  | 'avoid'
> {
  readonly end_origin?: EndOriginRecord | null;
  readonly ancestry?: readonly JobAncestor[];
  readonly avoid?: readonly AgentId[];
}

export async function updateJob(
  tx: Db,
  id: JobId,
  { end_origin, ancestry, avoid, ...rest }: JobChange,
): Promise<void> {
  await tx
    .updateTable('jobs')
    .set({
      ...rest,
      ...(end_origin === undefined ? {} : { end_origin: end_origin === null ? null : toJson(end_origin) }),
      ...(ancestry === undefined ? {} : { ancestry: toJson(ancestry) }),
      ...(avoid === undefined ? {} : { avoid: toJson(avoid) }),
    })
    .where('id', '=', id)
    .execute();
}

/** Keeps why jobs wait; those that no longer wait stay as they are. */
export async function setWaitingReasons(db: Db, reasons: ReadonlyMap<JobId, string>): Promise<void> {
  const byReason = groupBy(reasons, ([, reason]) => reason);
  for (const [reason, entries] of byReason) {
    await inChunks(
      entries.map(([id]) => id),
      500,
      async (ids) => {
        await db
          .updateTable('jobs')
          .set({ waiting_reason: reason })
          .where('id', 'in', ids)
          .where('state', '=', 'waiting')
          .execute();
      },
    );
  }
}

/** How many jobs of a build are in a state, and one of them with the step it is at. */
export interface JobGlance {
  readonly build: BuildId;
  readonly state: JobState;
  readonly count: number;
  readonly lane: string;
  readonly reason: string;
  readonly step: string | null;
}

/** For each of the builds and each state that jobs of it are in; quick, whatever the number of jobs. */
export async function glanceAtJobs(db: Db, builds: readonly BuildId[]): Promise<readonly JobGlance[]> {
  if (builds.length === 0) return [];
  const groups = await db
    .selectFrom('jobs')
    .select((select) => [
      'build_id',
      'state',
      select.fn.countAll<number>().as('count'),
      select.fn.min('id').as('example'),
    ])
    .where('build_id', 'in', [...builds])
    .groupBy(['build_id', 'state'])
    .execute();
  const examples = await db
    .selectFrom('jobs')
    .leftJoin('steps', (join) =>
      join.onRef('steps.job_id', '=', 'jobs.id').on('steps.state', 'in', ['running', 'failed']),
    )
    .select(['jobs.id', 'jobs.lane', 'jobs.waiting_reason', 'steps.name as step'])
    .where(
      'jobs.id',
      'in',
      groups.map(({ example }) => example),
    )
    .execute();
  const byId = new Map(examples.map((example) => [example.id, example]));
  return groups.map(({ build_id, state, count, example }) => ({
    build: build_id,
    state,
    count: count,
    lane: byId.get(example)?.lane ?? '',
    reason: byId.get(example)?.waiting_reason ?? '',
    step: byId.get(example)?.step ?? null,
  }));
}

/** Step keys of the job's boundaries in order, up to the last that is known; `null`: not known. */
export async function keysOfJob(db: Db, job: JobId): Promise<(string | null)[]> {
  const rows = await db
    .selectFrom('boundary_keys')
    .select(['position', 'key'])
    .where('job_id', '=', job)
    .orderBy('position')
    .execute();
  const keys = new Map(rows.map(({ position, key }) => [position, key]));
  return Array.from({ length: rows.at(-1)?.position ?? 0 }, (_, at) => keys.get(at + 1) ?? null);
}
