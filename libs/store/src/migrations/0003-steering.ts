import type { Kysely, Migration } from 'kysely';

/** People say which agent a job goes on on. */
export const steering: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('pins')
      .addColumn('job_id', 'text', (c) => c.primaryKey().references('jobs.id'))
      .addColumn('agent_id', 'text', (c) => c.notNull().references('agents.id'))
      .execute();
  },
};
