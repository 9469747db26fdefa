import type { AgentId, BuildId, JobId } from '#libs/contracts';
import { inChunks } from './builds.js';
import type { CheckpointInArea } from './checkpoints.js';
import type { Db } from './farm-database.js';
import { fromJson } from './json.js';
import type { Flag, JobsTable } from './schema.js';

/** A job that waits, and one that has done all the same. */
export interface ReusableResult {
  readonly build: BuildId;
  readonly job: JobId;
  readonly from: JobId;
}

/**
 * Of builds that are to run and may reuse, the newest first of each. A job that a person set back is not among them: what is asked to run again runs again. Neither is what retention has
 * collected, nor, for a trusted build, what an untrusted one made.
 */
export async function reusableResults(db: Db): Promise<readonly ReusableResult[]> {
  const rows = await db
    .selectFrom('jobs')
    .innerJoin('builds', 'builds.id', 'jobs.build_id')
    .innerJoin('jobs as done', (join) =>
      join.onRef('done.end_key', '=', 'jobs.end_key').on('done.state', '=', 'succeeded'),
    )
    .innerJoin('builds as its', 'its.id', 'done.build_id')
    .select(['jobs.build_id as build', 'jobs.id as job', 'done.id as from'])
    .where('jobs.state', '=', 'waiting')
    .where('jobs.generation', '=', 1)
    .where('builds.wish', '=', 'run')
    .where('builds.reuse', '=', 1)
    .where('its.collected_at', 'is', null)
    .whereRef('its.trusted', '>=', 'builds.trusted')
    .orderBy('jobs.build_id')
    .orderBy('jobs.id')
    .orderBy('done.ended_at', 'desc')
    .execute();
  return rows;
}

/** The job goes on from a state of another build: that build's steps count in front of this index, also where this job's had run. */
export async function reuseSteps(db: Db, job: JobId, from: BuildId, before: number): Promise<void> {
  await db
    .updateTable('steps')
    .set({
      state: 'succeeded',
      started_at: null,
      ended_at: null,
      outcome: null,
      attempt_id: null,
      reused_from: from,
    })
    .where('job_id', '=', job)
    .where('index', '<', before)
    .execute();
}

/** A job that waits, and who holds a state that equals one of its boundaries. */
export interface ReusableState {
  readonly job: JobId;
  /** Among the job's boundaries, from 1 on. */
  readonly position: number;
  readonly agent: AgentId;
}

/** The furthest of each agent, for jobs that `reusableResults` would look at. */
export async function reusableStates(db: Db): Promise<readonly ReusableState[]> {
  return await db
    .selectFrom('jobs')
    .innerJoin('builds', 'builds.id', 'jobs.build_id')
    .innerJoin('boundary_keys', 'boundary_keys.job_id', 'jobs.id')
    .innerJoin('checkpoints', 'checkpoints.key', 'boundary_keys.key')
    .innerJoin('builds as its', 'its.id', 'checkpoints.build_id')
    .select((select) => [
      'jobs.id as job',
      'checkpoints.agent_id as agent',
      select.fn.max('boundary_keys.position').as('position'),
    ])
    .where('jobs.state', '=', 'waiting')
    .where('jobs.generation', '=', 1)
    .where('builds.wish', '=', 'run')
    .where('builds.reuse', '=', 1)
    .whereRef('its.trusted', '>=', 'builds.trusted')
    .groupBy(['jobs.id', 'checkpoints.agent_id'])
    .execute();
}

/** A job that an agent has, of a build that may reuse. */
export interface JobUnderWay {
  readonly job: JobId;
  readonly build: BuildId;
  readonly variant: string;
  readonly trusted: Flag;
  readonly endKey: string | null;
}

export async function reusingJobsUnderWay(db: Db): Promise<readonly JobUnderWay[]> {
  return await db
    .selectFrom('jobs')
    .innerJoin('builds', 'builds.id', 'jobs.build_id')
    .innerJoin('variants', 'variants.id', 'jobs.variant_id')
    .select([
      'jobs.id as job',
      'jobs.build_id as build',
      'variants.name as variant',
      'builds.trusted',
      'jobs.end_key as endKey',
    ])
    .where('jobs.state', 'in', ['assigned', 'running'])
    .where('builds.reuse', '=', 1)
    .execute();
}

/** Step keys of jobs' boundaries and, last, of their ends, in order and without those that nobody knows. */
export async function keysOfJobs(
  db: Db,
  jobs: readonly JobId[],
): Promise<ReadonlyMap<JobId, readonly PositionedKey[]>> {
  const keys = new Map<JobId, PositionedKey[]>();
  await inChunks(jobs, 500, async (some) => {
    const boundaries = await db
      .selectFrom('boundary_keys')
      .select(['job_id', 'position', 'key'])
      .where('job_id', 'in', some)
      .orderBy('position')
      .execute();
    for (const { job_id, position, key } of boundaries)
      keys.set(job_id, [...(keys.get(job_id) ?? []), { position, key }]);
    const ends = await db.selectFrom('jobs').select(['id', 'end_key']).where('id', 'in', some).execute();
    for (const { id, end_key: key } of ends) {
      const own = keys.get(id) ?? [];
      if (key !== null && own.at(-1)?.key !== key)
        keys.set(id, [...own, { position: (own.at(-1)?.position ?? 0) + 1, key }]);
    }
  });
  return keys;
}

export interface PositionedKey {
  readonly position: number;
  readonly key: string;
}

/** Whether the checkpoint's state equals a boundary of one of the jobs, of builds that may reuse. */
export async function equalsStateOf(
  db: Db,
  jobs: readonly JobId[],
  { build, variant, id }: CheckpointInArea,
): Promise<boolean> {
  if (jobs.length === 0) return false;
  const row = await db
    .selectFrom('checkpoints')
    .innerJoin('boundary_keys', 'boundary_keys.key', 'checkpoints.key')
    .innerJoin('jobs', 'jobs.id', 'boundary_keys.job_id')
    .innerJoin('builds', 'builds.id', 'jobs.build_id')
    .innerJoin('builds as its', 'its.id', 'checkpoints.build_id')
    .select('checkpoints.id')
    .where('checkpoints.id', '=', id)
    .where('checkpoints.build_id', '=', build)
    .where('checkpoints.variant', '=', variant)
    .where('jobs.id', 'in', [...jobs])
    .where('builds.reuse', '=', 1)
    .whereRef('its.trusted', '>=', 'builds.trusted')
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** The newest build of the distribution that is not collected, of those that may reuse and are at least as trusted, with its image time. */
export async function newestReusableBuild(
  db: Db,
  distribution: string,
  trusted: Flag,
): Promise<{ readonly build: BuildId; readonly sourceDateEpoch: number } | null> {
  const row = await db
    .selectFrom('builds')
    .select(['id', 'source_date_epoch'])
    .where('name', '=', distribution)
    .where('reuse', '=', 1)
    .where('trusted', '>=', trusted)
    .where('collected_at', 'is', null)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? null : { build: row.id, sourceDateEpoch: row.source_date_epoch };
}

/** By end key, the build of a job that has succeeded and is not collected; of builds at least as trusted. */
export async function resultsOfKeys(
  db: Db,
  keys: readonly string[],
  trusted: Flag,
): Promise<ReadonlyMap<string, BuildId>> {
  const builds = new Map<string, BuildId>();
  await inChunks(keys, 500, async (some) => {
    const rows = await db
      .selectFrom('jobs')
      .innerJoin('builds', 'builds.id', 'jobs.build_id')
      .select(['jobs.end_key', 'jobs.build_id'])
      .where('jobs.end_key', 'in', some)
      .where('jobs.state', '=', 'succeeded')
      .where('builds.collected_at', 'is', null)
      .where('builds.trusted', '>=', trusted)
      .orderBy('jobs.ended_at')
      .execute();
    for (const { end_key, build_id } of rows) if (end_key !== null) builds.set(end_key, build_id);
  });
  return builds;
}

export interface AreaOnAgent {
  readonly agent: AgentId;
  readonly build: BuildId;
  readonly variant: string;
}

/** Where states are that attempts may still fork or fetch: those that equal one of a job's, until its steps run. */
export async function areasToBeginWith(db: Db): Promise<readonly AreaOnAgent[]> {
  return await db
    .selectFrom('attempts')
    .innerJoin('jobs', 'jobs.id', 'attempts.job_id')
    .innerJoin('builds', 'builds.id', 'jobs.build_id')
    .innerJoin('boundary_keys', 'boundary_keys.job_id', 'jobs.id')
    .innerJoin('checkpoints', 'checkpoints.key', 'boundary_keys.key')
    .select([
      'checkpoints.agent_id as agent',
      'checkpoints.build_id as build',
      'checkpoints.variant as variant',
    ])
    .distinct()
    .where('attempts.state', 'in', ['assigned', 'running'])
    .where((where) =>
      where.or([where('attempts.phase', 'is', null), where('attempts.phase', '=', 'fetching')]),
    )
    .where('jobs.generation', '=', 1)
    .where('builds.reuse', '=', 1)
    .execute();
}

/** Builds at whose jobs' ends unfinished jobs of others go on. */
export async function buildsGoneOnFrom(db: Db): Promise<ReadonlySet<BuildId>> {
  const rows = await db
    .selectFrom('jobs')
    .innerJoin('builds', 'builds.id', 'jobs.build_id')
    .select('jobs.end_origin')
    .distinct()
    .where('jobs.end_origin', 'is not', null)
    .where('builds.state', 'not in', ['succeeded', 'cancelled'])
    .where('builds.collected_at', 'is', null)
    .execute();
  return new Set(
    rows.flatMap(({ end_origin }) =>
      end_origin === null ? [] : [fromJson<JobsTable['end_origin']>(end_origin).build],
    ),
  );
}
