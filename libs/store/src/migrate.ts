import { Migrator, sql, type Kysely, type Migration } from 'kysely';
import type { FarmDatabase } from './farm-database.js';
import { firstSchema } from './migrations/0001-first-schema.js';
import { movingCheckpoints } from './migrations/0002-moving-checkpoints.js';
import { steering } from './migrations/0003-steering.js';
import { replicas } from './migrations/0004-replicas.js';
import { endCheckpoints } from './migrations/0005-end-checkpoints.js';
import { fetchOrRunAgain } from './migrations/0006-fetch-or-run-again.js';
import { lateCopies } from './migrations/0007-late-copies.js';
import { outputPieces } from './migrations/0008-output-pieces.js';
import { optionalVariants } from './migrations/0009-optional-variants.js';
import { stepKeys } from './migrations/0010-step-keys.js';
import { fingerprints } from './migrations/0011-fingerprints.js';
import { collection } from './migrations/0012-collection.js';
import { stepReads } from './migrations/0013-step-reads.js';
import { agentHistory } from './migrations/0014-agent-history.js';
import { listings } from './migrations/0015-listings.js';
import { states } from './migrations/0016-states.js';
import type { Schema } from './schema.js';
import { StoreError } from './store-error.js';

/** All of them, by name; a name sorts after those before it. Kysely keeps which were applied in `kysely_migration`. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-first-schema': firstSchema,
  '0002-moving-checkpoints': movingCheckpoints,
  '0003-steering': steering,
  '0004-replicas': replicas,
  '0005-end-checkpoints': endCheckpoints,
  '0006-fetch-or-run-again': fetchOrRunAgain,
  '0007-late-copies': lateCopies,
  '0008-output-pieces': outputPieces,
  '0009-optional-variants': optionalVariants,
  '0010-step-keys': stepKeys,
  '0011-fingerprints': fingerprints,
  '0012-collection': collection,
  '0013-step-reads': stepReads,
  '0014-agent-history': agentHistory,
  '0015-listings': listings,
  '0016-states': states,
};

/**
 * Brings the schema up to date and says which migrations that took. All in one transaction, so that a failure leaves the database as it was. Of several
 * coordinators that start at once, one migrates and the others wait. Throws `DATABASE_NEWER`, `MIGRATION_FAILED`.
 */
export async function migrate(
  database: FarmDatabase,
  migrations: Readonly<Record<string, Migration>> = MIGRATIONS,
): Promise<readonly string[]> {
  return database.withoutTimeLimits(async (db) => {
    const migrator = new Migrator({
      db,
      provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
    });
    const { results = [], error } = await migrator.migrateToLatest();
    if (error === undefined) return results.map(({ migrationName }) => migrationName);
    await refuseNewer(db, database.description, migrations);
    throw new StoreError(
      'MIGRATION_FAILED',
      `cannot migrate the database ${database.description}: ${error instanceof Error ? error.message : 'for no known reason'}`,
      'the database is as it was before',
      { cause: error },
    );
  });
}

async function refuseNewer(
  db: Kysely<Schema>,
  description: string,
  known: Readonly<Record<string, Migration>>,
): Promise<void> {
  const unknown = (await appliedMigrations(db)).filter((name) => !(name in known));
  if (unknown.length === 0) return;
  throw new StoreError(
    'DATABASE_NEWER',
    `the database ${description} was migrated by a newer distrofarm (${unknown.join(', ')})`,
    'start that version, or restore the backup from before the upgrade',
  );
}

async function appliedMigrations(db: Kysely<Schema>): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return rows.map(({ name }) => name);
}
