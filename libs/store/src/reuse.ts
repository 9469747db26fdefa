import type { BuildId, JobId } from '#libs/contracts';
import type { Db } from './farm-database.js';

/** A job that waits, and one that has done all the same. */
export interface ReusableResult {
  readonly build: BuildId;
  readonly job: JobId;
  readonly from: JobId;
}

/**
 * Of builds that are to run and may reuse, the newest first of each. A job that a person set back is not among them: what is asked to run again runs again. Neither is what retention has
 * collected.
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
    .orderBy('jobs.build_id')
    .orderBy('jobs.id')
    .orderBy('done.ended_at', 'desc')
    .execute();
  return rows;
}

/** The job's steps are done without having run, since those of another build did the same. */
export async function reuseSteps(db: Db, job: JobId, from: BuildId): Promise<void> {
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
    .where('state', '!=', 'succeeded')
    .execute();
}
