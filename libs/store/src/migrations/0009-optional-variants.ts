import type { Kysely, Migration } from 'kysely';

/** A build may succeed without some of its variants; until now it needed all. */
export const optionalVariants: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable('variants')
      .addColumn('optional', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
  },
};
