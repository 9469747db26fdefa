import { sql, type Kysely, type Migration } from 'kysely';

/** Jobs remember at which very checkpoint they ended. Of those that have ended, it is what the agent of the newest attempt holds under the name. */
export const endCheckpoints: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('jobs').addColumn('end_checkpoint', 'text').execute();
    await sql`
      update jobs set end_checkpoint = (
        select checkpoints.id from attempts
        inner join checkpoints on checkpoints.agent_id = attempts.agent_id
          and checkpoints.lineage = attempts.lineage and checkpoints.label = jobs.end_label
        where attempts.job_id = jobs.id and attempts.epoch = jobs.epoch
        order by checkpoints.taken_at desc
        limit 1
      )
      where end_label is not null and epoch > 0`.execute(db);
  },
};
