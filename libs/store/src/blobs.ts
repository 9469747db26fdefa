import type { Selectable } from 'kysely';
import { inChunks } from './builds.js';
import type { Db } from './farm-database.js';
import { fromJson } from './json.js';
import type { BlobsTable, BuildsTable } from './schema.js';

export interface BlobRow {
  readonly sha256: string;
  readonly bytes: number;
  /** When it came, or was last wanted again. */
  readonly createdAt: number;
}

/**
 * Notes that the artifact store holds it. One that is there already counts as new again: collection leaves young blobs alone, so whoever is about to refer
 * to a blob has that long to do it.
 */
export async function insertBlob(
  db: Db,
  blob: { readonly sha256: string; readonly bytes: number },
  now: number,
): Promise<void> {
  await db
    .insertInto('blobs')
    .values({ sha256: blob.sha256, bytes: blob.bytes, created_at: now })
    .onConflict((conflict) => conflict.column('sha256').doUpdateSet({ created_at: now }))
    .execute();
}

export async function findBlob(db: Db, sha256: string): Promise<BlobRow | null> {
  const row = await db.selectFrom('blobs').selectAll().where('sha256', '=', sha256).executeTakeFirst();
  return row === undefined ? null : parseBlob(row);
}

export async function hasBlob(db: Db, sha256: string): Promise<boolean> {
  return (await findBlob(db, sha256)) !== null;
}

/** Which of these are there. */
export async function blobsAmong(db: Db, digests: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  await inChunks(digests, 500, async (some) => {
    const rows = await db.selectFrom('blobs').select('sha256').where('sha256', 'in', some).execute();
    for (const { sha256 } of rows) found.add(sha256);
  });
  return found;
}

/** At most `limit` blobs older than `before` that no output, no listing, no available artifact and no file of a build that is not collected refers to. */
export async function unreferencedBlobs(
  db: Db,
  query: { readonly before: number; readonly limit: number },
): Promise<readonly BlobRow[]> {
  const rows = await db
    .selectFrom('blobs')
    .selectAll()
    .where('created_at', '<', query.before)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb.selectFrom('output_pieces').select('path').whereRef('output_pieces.sha256', '=', 'blobs.sha256'),
        ),
      ),
    )
    .where((eb) =>
      eb.not(
        eb.exists(eb.selectFrom('listings').select('id').whereRef('listings.sha256', '=', 'blobs.sha256')),
      ),
    )
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('artifacts')
            .select('name')
            .where('available', '=', 1)
            .whereRef('artifacts.sha256', '=', 'blobs.sha256'),
        ),
      ),
    )
    .orderBy('created_at')
    .execute();
  if (rows.length === 0) return [];
  const submitted = await submittedDigests(db);
  return rows
    .filter(({ sha256 }) => !submitted.has(sha256))
    .slice(0, query.limit)
    .map(parseBlob);
}

/** Forgets it, before its bytes are removed. False when it is wanted again since `before`: then the bytes stay. */
export async function removeBlob(db: Db, sha256: string, before: number): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('blobs')
    .where('sha256', '=', sha256)
    .where('created_at', '<', before)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Of the files of builds that are not collected. */
async function submittedDigests(db: Db): Promise<ReadonlySet<string>> {
  const digests = new Set<string>();
  let after = '' as BuildsTable['id'];
  for (;;) {
    const rows = await db
      .selectFrom('builds')
      .select(['id', 'files'])
      .where('collected_at', 'is', null)
      .where('id', '>', after)
      .orderBy('id')
      .limit(200)
      .execute();
    for (const { files } of rows) {
      for (const { sha256 } of fromJson<BuildsTable['files']>(files)) digests.add(sha256);
    }
    const last = rows.at(-1);
    if (last === undefined) return digests;
    after = last.id;
  }
}

function parseBlob(row: Selectable<BlobsTable>): BlobRow {
  return { sha256: row.sha256, bytes: row.bytes, createdAt: row.created_at };
}
