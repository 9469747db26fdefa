import { sql, type Insertable, type Selectable, type Updateable } from 'kysely';
import type { BuildId, BuildState, JobState } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { fromJson, toJson } from './json.js';
import type { BuildsTable, SubmittedFileRecord, VariantsTable } from './schema.js';

/** A submission as it is kept. */
export interface BuildRow extends Omit<Selectable<BuildsTable>, 'files'> {
  readonly files: readonly SubmittedFileRecord[];
}
export type VariantRow = Selectable<VariantsTable>;

export interface BuildFilter {
  readonly states?: readonly BuildState[] | undefined;
  readonly user?: string | undefined;
  readonly name?: string | undefined;
  readonly since?: number | undefined;
  readonly before?: { readonly createdAt: number; readonly id: string } | undefined;
  readonly limit: number;
}

function parseBuild(row: Selectable<BuildsTable>): BuildRow {
  return { ...row, files: fromJson<BuildsTable['files']>(row.files) };
}

export async function insertManifest(db: Db, sha256: string, text: string): Promise<void> {
  await db
    .insertInto('manifests')
    .values({ sha256, text })
    .onConflict((conflict) => conflict.column('sha256').doNothing())
    .execute();
}

export async function manifestText(db: Db, sha256: string): Promise<string | null> {
  const row = await db.selectFrom('manifests').select('text').where('sha256', '=', sha256).executeTakeFirst();
  return row?.text ?? null;
}

/** Fails with a unique violation when the user has used the idempotency key before. */
export async function insertBuild(
  db: Db,
  build: BuildRow,
  variants: readonly Insertable<VariantsTable>[],
): Promise<void> {
  await db
    .insertInto('builds')
    .values({ ...build, files: toJson(build.files) })
    .execute();
  await inChunks(variants, 100, async (rows) => {
    await db.insertInto('variants').values(rows).execute();
  });
}

export async function findBuild(db: Db, id: BuildId): Promise<BuildRow | null> {
  const row = await db.selectFrom('builds').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : parseBuild(row);
}

export async function findBuildByKey(db: Db, user: string, key: string): Promise<BuildRow | null> {
  const row = await db
    .selectFrom('builds')
    .selectAll()
    .where('user', '=', user)
    .where('idempotency_key', '=', key)
    .executeTakeFirst();
  return row === undefined ? null : parseBuild(row);
}

/** Builds whose id starts so; at most two, since more than one is no answer. */
export async function findBuildsByPrefix(db: Db, prefix: string): Promise<readonly BuildId[]> {
  const rows = await db
    .selectFrom('builds')
    .select('id')
    // Not by order: that of a database's language may put digits behind letters.
    .where((where) =>
      where(where.fn<string>('substr', ['id', sql.lit(1), sql.lit(prefix.length)]), '=', prefix),
    )
    .limit(2)
    .execute();
  return rows.map(({ id }) => id);
}

/** Newest first. */
export async function listBuilds(db: Db, filter: BuildFilter): Promise<readonly BuildRow[]> {
  let query = db.selectFrom('builds').selectAll();
  if (filter.states !== undefined) query = query.where('state', 'in', [...filter.states]);
  if (filter.user !== undefined) query = query.where('user', '=', filter.user);
  if (filter.name !== undefined) query = query.where('name', '=', filter.name);
  if (filter.since !== undefined) query = query.where('created_at', '>=', filter.since);
  const { before } = filter;
  if (before !== undefined) {
    query = query.where((where) =>
      where.or([
        where('created_at', '<', before.createdAt),
        where.and([where('created_at', '=', before.createdAt), where('id', '<', before.id as BuildId)]),
      ]),
    );
  }
  const rows = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(filter.limit).execute();
  return rows.map(parseBuild);
}

/**
 * Makes every other transaction that wants this build wait until this one has ended. Whoever changes the states of a build's jobs calls it
 * first. `null` when there is no such build.
 */
export async function lockBuild(tx: Db, id: BuildId): Promise<BuildRow | null> {
  const row = await tx
    .updateTable('builds')
    .set((update) => ({ id: update.ref('id') }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
  return row === undefined ? null : parseBuild(row);
}

export async function updateBuild(
  tx: Db,
  id: BuildId,
  change: Omit<Updateable<BuildsTable>, 'id' | 'files'>,
): Promise<void> {
  await tx.updateTable('builds').set(change).where('id', '=', id).execute();
}

export async function variantsOf(db: Db, build: BuildId): Promise<readonly VariantRow[]> {
  return await db.selectFrom('variants').selectAll().where('build_id', '=', build).orderBy('name').execute();
}

export async function variantName(db: Db, id: VariantRow['id']): Promise<string | null> {
  const row = await db.selectFrom('variants').select('name').where('id', '=', id).executeTakeFirst();
  return row?.name ?? null;
}

/** How many of the build's jobs are in each state. */
export async function countJobStates(db: Db, build: BuildId): Promise<ReadonlyMap<JobState, number>> {
  const rows = await db
    .selectFrom('jobs')
    .select((select) => ['state', select.fn.countAll<number>().as('count')])
    .where('build_id', '=', build)
    .groupBy('state')
    .execute();
  return new Map(rows.map(({ state, count }) => [state, count]));
}

/** The same without the jobs of optional variants of which one has failed. */
export async function countBindingJobStates(db: Db, build: BuildId): Promise<ReadonlyMap<JobState, number>> {
  const rows = await db
    .selectFrom('jobs')
    .innerJoin('variants', 'variants.id', 'jobs.variant_id')
    .select((select) => ['jobs.state', select.fn.countAll<number>().as('count')])
    .where('jobs.build_id', '=', build)
    .where((where) =>
      where.or([
        where('variants.optional', '=', 0),
        where.not(
          where.exists(
            where
              .selectFrom('jobs as failed')
              .select('failed.id')
              .whereRef('failed.variant_id', '=', 'variants.id')
              .where('failed.state', '=', 'failed'),
          ),
        ),
      ]),
    )
    .groupBy('jobs.state')
    .execute();
  return new Map(rows.map(({ state, count }) => [state, count]));
}

/** Of the whole farm. */
export async function countJobsByState(db: Db): Promise<ReadonlyMap<JobState, number>> {
  const rows = await db
    .selectFrom('jobs')
    .select((select) => ['state', select.fn.countAll<number>().as('count')])
    .groupBy('state')
    .execute();
  return new Map(rows.map(({ state, count }) => [state, count]));
}

/** Variants of the user's builds that have not come to rest. */
export async function countOpenVariants(db: Db, user: string): Promise<number> {
  const row = await db
    .selectFrom('variants')
    .innerJoin('builds', 'builds.id', 'variants.build_id')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('builds.user', '=', user)
    .where('builds.state', 'in', ['waiting', 'running', 'paused'])
    .executeTakeFirstOrThrow();
  return row.count;
}

/** A build at rest, with what is still kept of it. */
export interface RestingBuild {
  readonly id: BuildId;
  readonly name: string;
  readonly state: BuildState;
  readonly endedAt: number | null;
  readonly hasArtifacts: boolean;
  readonly hasLogs: boolean;
}

/** What retention looks at. */
export async function restingBuilds(db: Db): Promise<readonly RestingBuild[]> {
  const [rows, artifacts, logs] = await Promise.all([
    db
      .selectFrom('builds')
      .select(['id', 'name', 'state', 'ended_at'])
      .where('state', 'in', ['succeeded', 'failed', 'cancelled', 'paused'])
      .execute(),
    db.selectFrom('artifacts').select('build_id').distinct().where('available', '=', 1).execute(),
    db
      .selectFrom('log_chunks')
      .innerJoin('attempts', 'attempts.id', 'log_chunks.attempt_id')
      .select('attempts.build_id')
      .distinct()
      .execute(),
  ]);
  const withArtifacts = new Set(artifacts.map(({ build_id }) => build_id));
  const withLogs = new Set(logs.map(({ build_id }) => build_id));
  return rows.map(({ id, name, state, ended_at }) => ({
    id,
    name,
    state,
    endedAt: ended_at,
    hasArtifacts: withArtifacts.has(id),
    hasLogs: withLogs.has(id),
  }));
}

/** Which of these builds are there and have not been collected. */
export async function uncollectedBuilds(db: Db, ids: readonly BuildId[]): Promise<ReadonlySet<BuildId>> {
  const kept = new Set<BuildId>();
  await inChunks(ids, 500, async (chunk) => {
    const rows = await db
      .selectFrom('builds')
      .select('id')
      .where('id', 'in', chunk)
      .where('collected_at', 'is', null)
      .execute();
    for (const { id } of rows) kept.add(id);
  });
  return kept;
}

/** Statements with thousands of values hit limits of both databases. */
export async function inChunks<T>(
  items: readonly T[],
  size: number,
  use: (chunk: T[]) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < items.length; at += size) await use(items.slice(at, at + size));
}
