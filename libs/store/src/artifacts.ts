import type { Selectable } from 'kysely';
import type { Artifact, AttemptId, BuildId, JobId } from '#libs/contracts';
import type { Db } from './farm-database.js';
import type { ArtifactsTable } from './schema.js';

export interface NewArtifact {
  readonly build: BuildId;
  readonly variant: string;
  readonly name: string;
  readonly job: JobId;
  readonly attempt: AttemptId;
  readonly sha256: string;
  readonly bytes: number;
}

/** The variant's artifact of that name is this one from now on. */
export async function putArtifact(db: Db, artifact: NewArtifact, now: number): Promise<void> {
  const content = {
    job_id: artifact.job,
    attempt_id: artifact.attempt,
    sha256: artifact.sha256,
    bytes: artifact.bytes,
    published_at: now,
    available: 1 as const,
  };
  await db
    .insertInto('artifacts')
    .values({ build_id: artifact.build, variant: artifact.variant, name: artifact.name, ...content })
    .onConflict((conflict) => conflict.columns(['build_id', 'variant', 'name']).doUpdateSet(content))
    .execute();
}

/** By variant and name. */
export async function artifactsOfBuild(db: Db, build: BuildId): Promise<readonly Artifact[]> {
  const rows = await db
    .selectFrom('artifacts')
    .selectAll()
    .where('build_id', '=', build)
    .orderBy('variant')
    .orderBy('name')
    .execute();
  return rows.map(parseArtifact);
}

/** What one job published. */
export interface ArtifactOfJob {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly attempt: AttemptId;
  readonly available: boolean;
}

export async function artifactsOfJob(db: Db, job: JobId): Promise<readonly ArtifactOfJob[]> {
  const rows = await db
    .selectFrom('artifacts')
    .select(['name', 'sha256', 'bytes', 'attempt_id', 'available'])
    .where('job_id', '=', job)
    .orderBy('name')
    .execute();
  return rows.map(({ attempt_id: attempt, available, ...row }) => ({
    ...row,
    attempt,
    available: available === 1,
  }));
}

export async function findArtifact(
  db: Db,
  build: BuildId,
  variant: string,
  name: string,
): Promise<Artifact | null> {
  const row = await db
    .selectFrom('artifacts')
    .selectAll()
    .where('build_id', '=', build)
    .where('variant', '=', variant)
    .where('name', '=', name)
    .executeTakeFirst();
  return row === undefined ? null : parseArtifact(row);
}

/** When retention collects the build: the rows still tell of them, their blobs are nobody's. */
export async function markArtifactsUnavailable(db: Db, build: BuildId): Promise<void> {
  await db.updateTable('artifacts').set({ available: 0 }).where('build_id', '=', build).execute();
}

function parseArtifact(row: Selectable<ArtifactsTable>): Artifact {
  return {
    build: row.build_id,
    variant: row.variant,
    name: row.name,
    bytes: row.bytes,
    sha256: row.sha256,
    attempt: row.attempt_id,
    publishedAt: row.published_at,
    available: row.available === 1,
  };
}
