import type { Kysely, Migration } from 'kysely';

/** An attempt may be told what not to fetch; what came is known by the boundary of a distribution, as step times are by the step. */
export const fetchOrRunAgain: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema.alterTable('attempts').addColumn('fetch_up_to', 'integer').execute();
    for (const column of ['distribution', 'label'])
      await schema
        .alterTable('fetch_times')
        .addColumn(column, 'text', (c) => c.notNull().defaultTo(''))
        .execute();
  },
};
