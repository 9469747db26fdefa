import type { Kysely, Migration } from 'kysely';

/** Agents say where others may fetch checkpoints; checkpoints, what they continue; tickets, who may fetch which. */
export const movingCheckpoints: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema.alterTable('agents').addColumn('peer', 'text').execute();
    await schema
      .alterTable('checkpoints')
      .addColumn('previous', 'text', (c) => c.notNull().defaultTo(''))
      .execute();
    await schema
      .createTable('tickets')
      .addColumn('hash', 'text', (c) => c.primaryKey())
      .addColumn('source_id', 'text', (c) => c.notNull().references('agents.id'))
      .addColumn('transfer', 'text', (c) => c.notNull())
      .addColumn('expires_at', 'bigint', (c) => c.notNull())
      .addColumn('used_at', 'bigint')
      .execute();
    await schema.createIndex('tickets_expires_at').on('tickets').column('expires_at').execute();
  },
};
