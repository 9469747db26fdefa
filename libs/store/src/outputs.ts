import type { Selectable } from 'kysely';
import type { AttemptId, BuildId, JobId } from '#libs/contracts';
import { inChunks } from './builds.js';
import type { Db } from './farm-database.js';
import type { OutputsTable } from './schema.js';

export interface OutputRow {
  readonly jobId: JobId;
  /** Empty: the job's end state. */
  readonly path: string;
  readonly attemptId: AttemptId;
  readonly sha256: string;
  readonly bytes: number;
  readonly treeSha256: string;
}

/** The job's output at that path is this one from now on. */
export async function putOutput(db: Db, output: OutputRow): Promise<void> {
  const content = {
    attempt_id: output.attemptId,
    sha256: output.sha256,
    bytes: output.bytes,
    tree_sha256: output.treeSha256,
  };
  await db
    .insertInto('outputs')
    .values({ job_id: output.jobId, path: output.path, ...content })
    .onConflict((conflict) => conflict.columns(['job_id', 'path']).doUpdateSet(content))
    .execute();
}

export async function outputsOfJobs(db: Db, jobs: readonly JobId[]): Promise<readonly OutputRow[]> {
  if (jobs.length === 0) return [];
  const rows = await db
    .selectFrom('outputs')
    .selectAll()
    .where('job_id', 'in', [...jobs])
    .orderBy('job_id')
    .orderBy('path')
    .execute();
  return rows.map(parseOutput);
}

export async function outputsOfBuild(db: Db, build: BuildId): Promise<readonly OutputRow[]> {
  const rows = await db
    .selectFrom('outputs')
    .innerJoin('jobs', 'jobs.id', 'outputs.job_id')
    .selectAll('outputs')
    .where('jobs.build_id', '=', build)
    .orderBy('outputs.job_id')
    .orderBy('outputs.path')
    .execute();
  return rows.map(parseOutput);
}

/** Which of these jobs have published the state they ended in, and its size. */
export async function publishedEnds(db: Db, jobs: readonly JobId[]): Promise<ReadonlyMap<JobId, number>> {
  const published = new Map<JobId, number>();
  await inChunks([...new Set(jobs)], 500, async (some) => {
    const rows = await db
      .selectFrom('outputs')
      .select(['job_id', 'bytes'])
      .where('job_id', 'in', some)
      .where('path', '=', '')
      .execute();
    for (const { job_id, bytes } of rows) published.set(job_id, bytes);
  });
  return published;
}

/** When retention collects the build: their blobs are nobody's then. */
export async function removeOutputsOfBuild(db: Db, build: BuildId): Promise<void> {
  await db
    .deleteFrom('outputs')
    .where('job_id', 'in', (eb) => eb.selectFrom('jobs').select('id').where('build_id', '=', build))
    .execute();
}

function parseOutput(row: Selectable<OutputsTable>): OutputRow {
  return {
    jobId: row.job_id,
    path: row.path,
    attemptId: row.attempt_id,
    sha256: row.sha256,
    bytes: row.bytes,
    treeSha256: row.tree_sha256,
  };
}
