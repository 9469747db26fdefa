import type { Selectable } from 'kysely';
import type { AttemptId, BuildId, JobId } from '#libs/contracts';
import { inChunks } from './builds.js';
import type { Db } from './farm-database.js';
import { groupBy } from './group-by.js';
import type { OutputsTable } from './schema.js';

export interface OutputRow {
  readonly jobId: JobId;
  /** Empty: the job's end state. */
  readonly path: string;
  readonly attemptId: AttemptId;
  /** Blobs, in order. */
  readonly pieces: readonly OutputPiece[];
  readonly treeSha256: string;
}

export interface OutputPiece {
  readonly sha256: string;
  readonly bytes: number;
}

/** The job's output at that path is this one from now on. */
export async function putOutput(db: Db, output: OutputRow): Promise<void> {
  const place = { job_id: output.jobId, path: output.path };
  const content = { attempt_id: output.attemptId, tree_sha256: output.treeSha256 };
  await db
    .insertInto('outputs')
    .values({ ...place, ...content })
    .onConflict((conflict) => conflict.columns(['job_id', 'path']).doUpdateSet(content))
    .execute();
  await db
    .deleteFrom('output_pieces')
    .where('job_id', '=', place.job_id)
    .where('path', '=', place.path)
    .execute();
  const pieces = output.pieces.map((piece, position) => ({ ...place, position, ...piece }));
  await inChunks(pieces, 500, async (some) => {
    await db.insertInto('output_pieces').values(some).execute();
  });
}

export async function outputsOfJobs(db: Db, jobs: readonly JobId[]): Promise<readonly OutputRow[]> {
  if (jobs.length === 0) return [];
  const rows = await withPieces(db)
    .where('outputs.job_id', 'in', [...jobs])
    .execute();
  return parseOutputs(rows);
}

export async function outputsOfBuild(db: Db, build: BuildId): Promise<readonly OutputRow[]> {
  const rows = await withPieces(db)
    .innerJoin('jobs', 'jobs.id', 'outputs.job_id')
    .where('jobs.build_id', '=', build)
    .execute();
  return parseOutputs(rows);
}

/** Whether one of the build's outputs is made of the blob. */
export async function isOutputPiece(db: Db, build: BuildId, sha256: string): Promise<boolean> {
  const row = await db
    .selectFrom('output_pieces')
    .innerJoin('jobs', 'jobs.id', 'output_pieces.job_id')
    .select('output_pieces.path')
    .where('output_pieces.sha256', '=', sha256)
    .where('jobs.build_id', '=', build)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Which of these jobs have published the state they ended in, and its size. */
export async function publishedEnds(db: Db, jobs: readonly JobId[]): Promise<ReadonlyMap<JobId, number>> {
  const published = new Map<JobId, number>();
  await inChunks([...new Set(jobs)], 500, async (some) => {
    const rows = await db
      .selectFrom('output_pieces')
      .select(['job_id', 'bytes'])
      .where('job_id', 'in', some)
      .where('path', '=', '')
      .execute();
    for (const { job_id, bytes } of rows) published.set(job_id, (published.get(job_id) ?? 0) + bytes);
  });
  return published;
}

/** When retention collects the build: their blobs are nobody's then. */
export async function removeOutputsOfBuild(db: Db, build: BuildId): Promise<void> {
  for (const table of ['output_pieces', 'outputs'] as const) {
    await db
      .deleteFrom(table)
      .where('job_id', 'in', (eb) => eb.selectFrom('jobs').select('id').where('build_id', '=', build))
      .execute();
  }
}

/** One row for each piece. */
function withPieces(db: Db) {
  return db
    .selectFrom('outputs')
    .innerJoin('output_pieces', (join) =>
      join
        .onRef('output_pieces.job_id', '=', 'outputs.job_id')
        .onRef('output_pieces.path', '=', 'outputs.path'),
    )
    .selectAll('outputs')
    .select(['output_pieces.sha256', 'output_pieces.bytes'])
    .orderBy('outputs.job_id')
    .orderBy('outputs.path')
    .orderBy('output_pieces.position');
}

type PieceOfOutput = Selectable<OutputsTable> & OutputPiece;

function parseOutputs(rows: readonly PieceOfOutput[]): readonly OutputRow[] {
  const outputs = groupBy(rows, ({ job_id, path }) => `${job_id} ${path}`).values();
  return [...outputs].flatMap((pieces) => {
    const [first] = pieces;
    return first === undefined
      ? []
      : [
          {
            jobId: first.job_id,
            path: first.path,
            attemptId: first.attempt_id,
            pieces: pieces.map(({ sha256, bytes }) => ({ sha256, bytes })),
            treeSha256: first.tree_sha256,
          },
        ];
  });
}
