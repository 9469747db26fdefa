import type { Selectable } from 'kysely';
import { newId, type AttemptId, type UploadId } from '#libs/contracts';
import type { Db } from './farm-database.js';
import type { UploadsTable } from './schema.js';

export interface UploadRow {
  readonly id: UploadId;
  readonly attemptId: AttemptId;
  readonly sha256: string;
  /** As the agent said when it started it. */
  readonly bytes: number;
  readonly createdAt: number;
}

export interface NewUpload {
  readonly attempt: AttemptId;
  readonly sha256: string;
  readonly bytes: number;
}

/** The attempt's upload of that digest, which goes on where it was; a new one when there is none. */
export async function startUpload(db: Db, upload: NewUpload, now: number): Promise<UploadRow> {
  await db
    .insertInto('uploads')
    .values({
      id: newId('u'),
      attempt_id: upload.attempt,
      sha256: upload.sha256,
      bytes: upload.bytes,
      created_at: now,
    })
    .onConflict((conflict) => conflict.columns(['attempt_id', 'sha256']).doNothing())
    .execute();
  const row = await db
    .selectFrom('uploads')
    .selectAll()
    .where('attempt_id', '=', upload.attempt)
    .where('sha256', '=', upload.sha256)
    .executeTakeFirstOrThrow();
  return parseUpload(row);
}

export async function findUpload(db: Db, id: UploadId): Promise<UploadRow | null> {
  const row = await db.selectFrom('uploads').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : parseUpload(row);
}

export async function removeUpload(db: Db, id: UploadId): Promise<void> {
  await db.deleteFrom('uploads').where('id', '=', id).execute();
}

/** Those that began before then, and have not been removed; oldest first. */
export async function staleUploads(db: Db, before: number): Promise<readonly UploadRow[]> {
  const rows = await db
    .selectFrom('uploads')
    .selectAll()
    .where('created_at', '<', before)
    .orderBy('created_at')
    .execute();
  return rows.map(parseUpload);
}

function parseUpload(row: Selectable<UploadsTable>): UploadRow {
  return {
    id: row.id,
    attemptId: row.attempt_id,
    sha256: row.sha256,
    bytes: row.bytes,
    createdAt: row.created_at,
  };
}
