import type { Kysely, Migration } from 'kysely';

/** A job waits for copies of its checkpoints. */
export const lateCopies: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema
      .alterTable('builds')
      .addColumn('waits_for_replicas', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
    await schema.alterTable('attempts').addColumn('copies_late_since', 'bigint').execute();
    await schema.alterTable('attempts').addColumn('copies_late_of', 'text').execute();
  },
};
