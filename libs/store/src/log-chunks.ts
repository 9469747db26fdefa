import type { AttemptId } from '#libs/contracts';
import type { Db } from './farm-database.js';

export interface LogChunkRow {
  readonly attemptId: AttemptId;
  /** Of its first byte in the attempt's log. */
  readonly offset: number;
  readonly bytes: number;
  readonly receivedAt: number;
}

/** False when the chunk at that offset is there already: it stays as it is. */
export async function addLogChunk(db: Db, chunk: LogChunkRow): Promise<boolean> {
  const row = await db
    .insertInto('log_chunks')
    .values({
      attempt_id: chunk.attemptId,
      offset: chunk.offset,
      bytes: chunk.bytes,
      received_at: chunk.receivedAt,
    })
    .onConflict((conflict) => conflict.columns(['attempt_id', 'offset']).doNothing())
    .returning('bytes')
    .executeTakeFirst();
  return row !== undefined;
}

/** By offset. Where one does not begin at the end of the one before it, bytes are missing. */
export async function logChunksOf(db: Db, attempt: AttemptId): Promise<readonly LogChunkRow[]> {
  const rows = await db
    .selectFrom('log_chunks')
    .selectAll()
    .where('attempt_id', '=', attempt)
    .orderBy('offset')
    .execute();
  return rows.map((row) => ({
    attemptId: row.attempt_id,
    offset: row.offset,
    bytes: row.bytes,
    receivedAt: row.received_at,
  }));
}

/** When retention has removed the log: the attempt's row still tells how long it was. */
export async function removeLogChunks(db: Db, attempt: AttemptId): Promise<void> {
  await db.deleteFrom('log_chunks').where('attempt_id', '=', attempt).execute();
}
