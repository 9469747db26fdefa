import type { Kysely, Migration } from 'kysely';

/** What scripts asked of the manifest, so that it can be declared. */
export const stepReads: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('step_reads')
      .addColumn('step', 'text', (c) => c.notNull())
      .addColumn('script', 'text', (c) => c.notNull())
      .addColumn('nodepaths', 'text', (c) => c.notNull())
      .addColumn('build_id', 'text', (c) => c.notNull())
      .addColumn('at', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('step_reads_pk', ['step', 'script'])
      .execute();
  },
};
