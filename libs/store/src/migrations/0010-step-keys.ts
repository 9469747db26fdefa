import type { Kysely, Migration } from 'kysely';

/** States are known by how they come to be, so that equal ones are made once. */
export const stepKeys: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema
      .alterTable('builds')
      .addColumn('reuse', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
    await schema
      .alterTable('builds')
      .addColumn('trusted', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
    await schema.alterTable('jobs').addColumn('end_key', 'text').execute();
    await schema.alterTable('jobs').addColumn('end_origin', 'text').execute();
    await schema.createIndex('jobs_by_end_key').on('jobs').column('end_key').execute();
    await schema.alterTable('steps').addColumn('reused_from', 'text').execute();
    await schema.alterTable('checkpoints').addColumn('key', 'text').execute();
    await schema.createIndex('checkpoints_by_key').on('checkpoints').column('key').execute();
    await schema
      .createTable('boundary_keys')
      .addColumn('job_id', 'text', (c) => c.notNull().references('jobs.id'))
      .addColumn('position', 'integer', (c) => c.notNull())
      .addColumn('key', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('boundary_keys_pk', ['job_id', 'position'])
      .execute();
    await schema.createIndex('boundary_keys_by_key').on('boundary_keys').column('key').execute();
  },
};
