import type { Kysely, Migration } from 'kysely';

/** What is in checkpoints, so that two can be compared. */
export const listings: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema
      .createTable('listings')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('checkpoint_id', 'text', (c) => c.notNull())
      .addColumn('build_id', 'text', (c) => c.notNull())
      .addColumn('variant', 'text', (c) => c.notNull())
      .addColumn('workspace', 'text', (c) => c.notNull())
      .addColumn('label', 'text', (c) => c.notNull())
      .addColumn('asked_at', 'bigint', (c) => c.notNull())
      .addColumn('wanted_at', 'bigint', (c) => c.notNull())
      .addColumn('agent_id', 'text', (c) => c.references('agents.id'))
      .addColumn('taken_at', 'bigint')
      .addColumn('answered_at', 'bigint')
      .addColumn('sha256', 'text')
      .addColumn('entries', 'integer')
      .addColumn('bytes', 'bigint')
      .addColumn('failure', 'text')
      .addUniqueConstraint('listings_once', ['checkpoint_id', 'build_id', 'variant'])
      .execute();
    await schema.createIndex('listings_open').on('listings').columns(['answered_at', 'asked_at']).execute();
    await schema.createIndex('listings_by_blob').on('listings').column('sha256').execute();
  },
};
