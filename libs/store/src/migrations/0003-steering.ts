import type { Kysely, Migration } from 'kysely';

/** People say which agent a job goes on on, and whether a drained agent keeps its jobs; the farm remembers what moving a checkpoint takes. */
export const steering: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema
      .createTable('pins')
      .addColumn('job_id', 'text', (c) => c.primaryKey().references('jobs.id'))
      .addColumn('agent_id', 'text', (c) => c.notNull().references('agents.id'))
      .execute();
    await schema
      .alterTable('agents')
      .addColumn('lets_finish', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
    await schema
      .createTable('fetch_times')
      .addColumn('store', 'text', (c) => c.notNull())
      .addColumn('bytes', 'bigint', (c) => c.notNull())
      .addColumn('ms', 'bigint', (c) => c.notNull())
      .addColumn('at', 'bigint', (c) => c.notNull())
      .execute();
    await schema.createIndex('fetch_times_at').on('fetch_times').column('at').execute();
  },
};
