import type { Kysely, Migration } from 'kysely';

/** A build's checkpoints may be wanted on several agents. */
export const replicas: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema
      .alterTable('builds')
      .addColumn('replicas', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
  },
};
