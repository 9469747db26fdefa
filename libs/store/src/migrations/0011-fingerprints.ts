import type { Kysely, Migration } from 'kysely';

/** Steps' fingerprints are asked for, by agents, before the step keys are known. */
export const fingerprints: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema
      .alterTable('variants')
      .addColumn('keys_wait', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
    await schema
      .createTable('fingerprint_asks')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('digest', 'text', (c) => c.notNull())
      .addColumn('request', 'text', (c) => c.notNull())
      .addColumn('asked_at', 'bigint', (c) => c.notNull())
      .addColumn('agent_id', 'text', (c) => c.references('agents.id'))
      .addColumn('taken_at', 'bigint')
      .addColumn('unable', 'text')
      .addColumn('answered_at', 'bigint')
      .addColumn('output', 'text')
      .addColumn('failure', 'text')
      .execute();
    await schema
      .createIndex('fingerprint_asks_by_digest')
      .on('fingerprint_asks')
      .columns(['digest', 'asked_at'])
      .execute();
    await schema
      .createIndex('fingerprint_asks_open')
      .on('fingerprint_asks')
      .columns(['answered_at', 'asked_at'])
      .execute();
    await schema
      .createTable('step_fingerprints')
      .addColumn('variant_id', 'text', (c) => c.notNull().references('variants.id'))
      .addColumn('index', 'integer', (c) => c.notNull())
      .addColumn('step', 'text', (c) => c.notNull())
      .addColumn('ask_id', 'text', (c) => c.notNull().references('fingerprint_asks.id'))
      .addPrimaryKeyConstraint('step_fingerprints_pk', ['variant_id', 'index'])
      .execute();
    await schema.createIndex('step_fingerprints_by_ask').on('step_fingerprints').column('ask_id').execute();
  },
};
