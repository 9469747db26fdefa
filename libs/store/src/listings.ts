import type { Selectable } from 'kysely';
import type { AgentId, BuildId, ListingId } from '#libs/contracts';
import type { Db } from './farm-database.js';
import type { ListingsTable } from './schema.js';

export type ListingRow = Selectable<ListingsTable>;

/** The checkpoint that a listing is of. */
export interface ListedCheckpoint {
  readonly id: string;
  readonly buildId: BuildId;
  readonly variant: string;
  readonly workspace: string;
  readonly label: string;
}

/**
 * The checkpoint's listing, whatever has become of it; asked for now where it is not, or failed before `failedBefore`.
 *
 * @param id of a new one
 */
export async function wantListing(
  tx: Db,
  id: ListingId,
  checkpoint: ListedCheckpoint,
  now: number,
  failedBefore: number,
): Promise<ListingRow> {
  await tx
    .deleteFrom('listings')
    .where('checkpoint_id', '=', checkpoint.id)
    .where('build_id', '=', checkpoint.buildId)
    .where('variant', '=', checkpoint.variant)
    .where('failure', 'is not', null)
    .where('answered_at', '<', failedBefore)
    .execute();
  return await tx
    .insertInto('listings')
    .values({
      id,
      checkpoint_id: checkpoint.id,
      build_id: checkpoint.buildId,
      variant: checkpoint.variant,
      workspace: checkpoint.workspace,
      label: checkpoint.label,
      asked_at: now,
      wanted_at: now,
      agent_id: null,
      taken_at: null,
      answered_at: null,
      sha256: null,
      entries: null,
      bytes: null,
      failure: null,
    })
    .onConflict((conflict) =>
      conflict.columns(['checkpoint_id', 'build_id', 'variant']).doUpdateSet({ wanted_at: now }),
    )
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Of a checkpoint that may be gone; several builds' may have the id. */
export async function listingsOfCheckpoint(db: Db, checkpoint: string): Promise<readonly ListingRow[]> {
  return await db
    .selectFrom('listings')
    .selectAll()
    .where('checkpoint_id', '=', checkpoint)
    .where('sha256', 'is not', null)
    .execute();
}

export async function findListing(db: Db, id: ListingId): Promise<ListingRow | null> {
  return (await db.selectFrom('listings').selectAll().where('id', '=', id).executeTakeFirst()) ?? null;
}

export async function countOpenListings(db: Db): Promise<number> {
  const { count } = await db
    .selectFrom('listings')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('answered_at', 'is', null)
    .executeTakeFirstOrThrow();
  return count;
}

/** Those that nobody has answered yet, of checkpoints that the agent holds, the oldest first. */
export async function openListingsFor(db: Db, agent: AgentId): Promise<readonly ListingRow[]> {
  return await db
    .selectFrom('listings')
    .innerJoin('checkpoints', (join) =>
      join
        .onRef('checkpoints.id', '=', 'listings.checkpoint_id')
        .onRef('checkpoints.build_id', '=', 'listings.build_id')
        .onRef('checkpoints.variant', '=', 'listings.variant'),
    )
    .selectAll('listings')
    .where('checkpoints.agent_id', '=', agent)
    .where('listings.answered_at', 'is', null)
    .orderBy('listings.asked_at')
    .orderBy('listings.id')
    .limit(100)
    .execute();
}

/** False: it was answered meanwhile, or somebody else took it. */
export async function takeListing(
  db: Db,
  { id, taken_at }: Pick<ListingRow, 'id' | 'taken_at'>,
  agent: AgentId,
  now: number,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('listings')
    .set({ agent_id: agent, taken_at: now })
    .where('id', '=', id)
    .where('answered_at', 'is', null)
    .where('taken_at', taken_at === null ? 'is' : '=', taken_at)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** False: it is not this agent's, or answered. */
export async function answerListing(
  db: Db,
  id: ListingId,
  agent: AgentId,
  answer:
    | { readonly sha256: string; readonly entries: number; readonly bytes: number }
    | { readonly failure: string },
  now: number,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('listings')
    .set({ ...answer, answered_at: now })
    .where('id', '=', id)
    .where('agent_id', '=', agent)
    .where('answered_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** What an earlier process of the agent had taken, or what it cannot do (`only`): for whoever else holds the checkpoint. */
export async function releaseListings(db: Db, agent: AgentId, only?: ListingId): Promise<void> {
  let update = db
    .updateTable('listings')
    .set({ agent_id: null, taken_at: null })
    .where('agent_id', '=', agent)
    .where('answered_at', 'is', null);
  if (only !== undefined) update = update.where('id', '=', only);
  await update.execute();
}

/** It was not what it said it was, or its bytes are gone. */
export async function removeListing(db: Db, id: ListingId): Promise<void> {
  await db.deleteFrom('listings').where('id', '=', id).execute();
}

/** Those that nobody wanted to see since. */
export async function forgetListings(db: Db, before: number): Promise<void> {
  await db.deleteFrom('listings').where('wanted_at', '<', before).execute();
}
