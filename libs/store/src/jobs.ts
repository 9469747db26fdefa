import type { Selectable, Updateable } from 'kysely';
import type {
  AgentId,
  AttemptId,
  BuildId,
  JobId,
  JobState,
  Priority,
  StepOutcome,
  StepState,
  VariantId,
} from '#libs/contracts';
import { inChunks } from './builds.js';
import type { Db } from './farm-database.js';
import { groupBy } from './group-by.js';
import { fromJson, rememberingJson, toJson } from './json.js';
import type {
  BoundaryKeysTable,
  EndOriginRecord,
  JobAncestor,
  JobBaseRecord,
  JobImportRecord,
  JobRequirements,
  JobsTable,
  StepsTable,
} from './schema.js';

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

export interface StepRow extends Omit<Selectable<StepsTable>, 'outcome'> {
  readonly outcome: StepOutcome | null;
}

/** A waiting job with what the scheduler wants to know of its build. */
export interface WaitingJobRow {
  readonly id: JobId;
  readonly build: BuildId;
  /** Name of its build's distribution. */
  readonly distribution: string;
  readonly variant: VariantId;
  readonly index: number;
  readonly lineage: string;
  /** An agent has had it already, and may hold checkpoints of it. */
  readonly wasTried: boolean;
  /** Earlier lineages that are good for a part of it: up to the boundary in front of a step, by its index in the plan. */
  readonly ancestors: readonly { readonly lineage: string; readonly upToIndex: number }[];
  /** A checkpoint is taken behind its last step. */
  readonly hasEnd: boolean;
  readonly requires: JobRequirements;
  /** The job at whose end it goes on, that one's lineage, and the checkpoint that it ended at. */
  readonly base: {
    readonly jobId: JobId;
    readonly lineage: string;
    readonly checkpoint: string | null;
  } | null;
  readonly avoid: readonly AgentId[];
  readonly waitingSince: number;
  readonly waitingReason: string;
  readonly user: string;
  readonly priority: Priority;
  /** Who resumed the job said so, or else who submitted the build. */
  readonly onAgent: AgentId | null;
  readonly createdAt: number;
  /** It may go on from what others made of the same steps. */
  readonly reuses: boolean;
  readonly isTrusted: boolean;
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

function parseStep(row: Selectable<StepsTable>): StepRow {
  return { ...row, outcome: row.outcome === null ? null : fromJson<StepsTable['outcome']>(row.outcome) };
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

/** Jobs that could be placed, of builds that are to run. */
export async function waitingJobs(db: Db): Promise<readonly WaitingJobRow[]> {
  return await placeableJobs(db, (select) => select.where('jobs.state', '=', 'waiting'));
}

/** The same of these jobs, which others than their agents might take over. */
export async function runningJobs(db: Db, ids: readonly JobId[]): Promise<readonly WaitingJobRow[]> {
  if (ids.length === 0) return [];
  return await placeableJobs(db, (select) =>
    select.where('jobs.state', '=', 'running').where('jobs.id', 'in', [...ids]),
  );
}

type Selection = ReturnType<typeof selectJobs>;

function selectJobs(db: Db) {
  return db.selectFrom('jobs');
}

/** There may be ten thousand, of few builds: so what is the build's is read once for each. */
async function placeableJobs(
  db: Db,
  which: (select: Selection) => Selection,
): Promise<readonly WaitingJobRow[]> {
  const builds = await db
    .selectFrom('builds')
    .select(['id', 'name', 'user', 'priority', 'on_agent', 'created_at', 'reuse', 'trusted'])
    .where('wish', '=', 'run')
    .where('id', 'in', which(selectJobs(db)).select('jobs.build_id'))
    .execute();
  const buildById = new Map(builds.map((build) => [build.id, build]));
  const rows = await which(selectJobs(db))
    .innerJoin('variants', 'variants.id', 'jobs.variant_id')
    .leftJoin('pins', 'pins.job_id', 'jobs.id')
    .select([
      'jobs.id',
      'jobs.build_id',
      'jobs.variant_id',
      'variants.name as variant_name',
      'jobs.index',
      'jobs.generation',
      'jobs.epoch',
      'jobs.ancestry',
      'jobs.end_label',
      'jobs.base_job',
      'jobs.requires',
      'jobs.avoid',
      'jobs.waiting_since',
      'jobs.waiting_reason',
      'pins.agent_id as pinned_to',
    ])
    .execute();
  const bases = rows.some(({ base_job }) => base_job !== null)
    ? await basesOf(which(selectJobs(db)))
    : NO_BASES;
  // Most of them say the same.
  const requirementsOf = rememberingJson<JobsTable['requires']>();
  const ancestryOf = rememberingJson<JobsTable['ancestry']>();
  const avoidOf = rememberingJson<JobsTable['avoid']>();
  return rows.flatMap((row): WaitingJobRow[] => {
    const build = buildById.get(row.build_id);
    if (build === undefined) return [];
    const lineageAt = (index: number, generation: number): string =>
      lineageOf(row.build_id, row.variant_name, index, generation);
    const base = bases.get(row.id);
    return [
      {
        id: row.id,
        build: row.build_id,
        distribution: build.name,
        variant: row.variant_id,
        index: row.index,
        lineage: lineageAt(row.index, row.generation),
        wasTried: row.epoch > 0,
        ancestors: ancestryOf(row.ancestry).map(({ generation, upToIndex }) => ({
          lineage: lineageAt(row.index, generation),
          upToIndex,
        })),
        hasEnd: row.end_label !== null,
        requires: requirementsOf(row.requires),
        base:
          base === undefined
            ? null
            : {
                jobId: base.id,
                lineage: base.endOrigin?.lineage ?? lineageAt(base.index, base.generation),
                checkpoint: base.end_checkpoint,
              },
        avoid: avoidOf(row.avoid),
        waitingSince: row.waiting_since ?? build.created_at,
        waitingReason: row.waiting_reason,
        user: build.user,
        priority: build.priority,
        onAgent: row.pinned_to ?? build.on_agent,
        createdAt: build.created_at,
        reuses: build.reuse === 1 && row.generation === 1,
        isTrusted: build.trusted === 1,
      },
    ];
  });
}

interface BaseOfJob extends Pick<JobRow, 'id' | 'index' | 'generation' | 'end_checkpoint'> {
  readonly endOrigin: EndOriginRecord | null;
}
type Bases = ReadonlyMap<JobId, BaseOfJob>;
const NO_BASES: Bases = new Map();

/** By job the one at whose end it goes on. */
async function basesOf(selection: Selection): Promise<Bases> {
  const rows = await selection
    .innerJoin('jobs as base', (join) =>
      join.onRef('base.variant_id', '=', 'jobs.variant_id').onRef('base.index', '=', 'jobs.base_job'),
    )
    .select([
      'jobs.id as placeable',
      'base.id',
      'base.index',
      'base.generation',
      'base.end_checkpoint',
      'base.end_origin',
    ])
    .execute();
  const originOf = rememberingJson<JobsTable['end_origin']>();
  return new Map(
    rows.map(({ placeable, end_origin, ...base }) => [
      placeable,
      { ...base, endOrigin: end_origin === null ? null : originOf(end_origin) },
    ]),
  );
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
  },
): Promise<void> {
  const { state, attempt, startedAt, endedAt, outcome } = change;
  await tx
    .updateTable('steps')
    .set({
      state,
      attempt_id: attempt,
      ...(startedAt === undefined ? {} : { started_at: startedAt }),
      ...(endedAt === undefined ? {} : { ended_at: endedAt }),
      ...(outcome === undefined ? {} : { outcome: outcome === null ? null : toJson(outcome) }),
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
