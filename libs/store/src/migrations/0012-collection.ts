import type { Kysely, Migration } from 'kysely';

/** What checkpoints take, and which of them people keep. */
export const collection: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema
      .createTable('area_sizes')
      .addColumn('agent_id', 'text', (c) => c.notNull().references('agents.id'))
      .addColumn('build_id', 'text', (c) => c.notNull())
      .addColumn('variant', 'text', (c) => c.notNull())
      .addColumn('used_bytes', 'bigint', (c) => c.notNull())
      .addColumn('measured_at', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('area_sizes_pk', ['agent_id', 'build_id', 'variant'])
      .execute();
    await schema
      .createTable('checkpoint_pins')
      .addColumn('build_id', 'text', (c) => c.notNull().references('builds.id'))
      .addColumn('variant', 'text', (c) => c.notNull())
      .addColumn('user', 'text', (c) => c.notNull())
      .addColumn('why', 'text', (c) => c.notNull())
      .addColumn('pinned_at', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('checkpoint_pins_pk', ['build_id', 'variant'])
      .execute();
  },
};
