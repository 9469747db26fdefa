import type { Kysely, Migration } from 'kysely';

/** A packed tree may be made of several blobs; until now it was one. */
export const outputPieces: Migration = {
  async up(db: Kysely<OneBlobEach>): Promise<void> {
    const { schema } = db;
    await schema
      .createTable('output_pieces')
      .addColumn('job_id', 'text', (c) => c.notNull().references('jobs.id'))
      .addColumn('path', 'text', (c) => c.notNull())
      .addColumn('position', 'integer', (c) => c.notNull())
      .addColumn('sha256', 'text', (c) => c.notNull())
      .addColumn('bytes', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('output_pieces_pk', ['job_id', 'path', 'position'])
      .execute();
    await schema.createIndex('output_pieces_by_sha256').on('output_pieces').column('sha256').execute();
    await db
      .insertInto('output_pieces')
      .columns(['job_id', 'path', 'position', 'sha256', 'bytes'])
      .expression((eb) =>
        eb.selectFrom('outputs').select(['job_id', 'path', eb.lit(0).as('position'), 'sha256', 'bytes']),
      )
      .execute();
    await schema.dropIndex('outputs_by_sha256').execute();
    await schema.alterTable('outputs').dropColumn('sha256').execute();
    await schema.alterTable('outputs').dropColumn('bytes').execute();
  },
};

interface OneBlobEach {
  readonly outputs: {
    readonly job_id: string;
    readonly path: string;
    readonly sha256: string;
    readonly bytes: number;
  };
  readonly output_pieces: {
    readonly job_id: string;
    readonly path: string;
    readonly position: number;
    readonly sha256: string;
    readonly bytes: number;
  };
}
