import type { Insertable, Selectable, Transaction } from 'kysely';
import type { AgentId, BuildId } from '#libs/contracts';
import { inChunks } from './builds.js';
import type { Db } from './farm-database.js';
import type { CheckpointsTable, Flag, Schema } from './schema.js';

export interface CheckpointRow {
  readonly agentId: AgentId;
  readonly id: string;
  readonly buildId: BuildId;
  readonly variant: string;
  readonly lineage: string;
  readonly workspace: string;
  readonly label: string;
  readonly previous: string;
  readonly takenAt: number;
  readonly key: string | null;
}

/** What the agent's store holds is exactly this: at its hello. Of an id that comes twice the first counts. */
export async function replaceCheckpoints(
  tx: Transaction<Schema>,
  agent: AgentId,
  rows: readonly Omit<CheckpointRow, 'agentId'>[],
): Promise<void> {
  await tx.deleteFrom('checkpoints').where('agent_id', '=', agent).execute();
  const held = new Set(rows.map(({ id }) => id));
  await inChunks(rows, 1000, async (some) => {
    await insert(
      tx,
      some.map((row) => toRow({ ...row, agentId: agent }, !held.has(row.previous))),
    );
  });
}

/** One more. False: one that is there already stays as it is. */
export async function insertCheckpoint(db: Db, row: CheckpointRow): Promise<boolean> {
  const continued = await db
    .selectFrom('checkpoints')
    .select('id')
    .where('agent_id', '=', row.agentId)
    .where('id', '=', row.previous)
    .executeTakeFirst();
  return (await insert(db, [toRow(row, continued === undefined)])) > 0;
}

/** The agent said that it dropped the area. */
export async function removeCheckpointsOfArea(
  db: Db,
  agent: AgentId,
  build: BuildId,
  variant: string,
): Promise<void> {
  await db
    .deleteFrom('checkpoints')
    .where('agent_id', '=', agent)
    .where('build_id', '=', build)
    .where('variant', '=', variant)
    .execute();
}

export interface CheckpointInArea {
  readonly build: BuildId;
  readonly variant: string;
  readonly id: string;
}

/** It turned out that the agent does not have it. */
export async function removeCheckpoint(
  db: Db,
  agent: AgentId,
  { build, variant, id }: CheckpointInArea,
): Promise<void> {
  await db
    .deleteFrom('checkpoints')
    .where('agent_id', '=', agent)
    .where('build_id', '=', build)
    .where('variant', '=', variant)
    .where('id', '=', id)
    .execute();
  await db
    .updateTable('checkpoints')
    .set({ begins: 1 })
    .where('agent_id', '=', agent)
    .where('build_id', '=', build)
    .where('previous', '=', id)
    .execute();
}

/** Agents that hold the checkpoint, as far as they have said. */
export async function checkpointHolders(
  db: Db,
  { build, variant, id }: CheckpointInArea,
): Promise<readonly AgentId[]> {
  const rows = await db
    .selectFrom('checkpoints')
    .select('agent_id')
    .where('build_id', '=', build)
    .where('variant', '=', variant)
    .where('id', '=', id)
    .execute();
  return rows.map(({ agent_id }) => agent_id);
}

export interface CheckpointFilter {
  readonly build?: BuildId | undefined;
  readonly agent?: AgentId | undefined;
}

/** Oldest first. Also those of agents that are lost. */
export async function listCheckpoints(
  db: Db,
  filter: CheckpointFilter = {},
): Promise<readonly CheckpointRow[]> {
  let select = db.selectFrom('checkpoints').selectAll();
  if (filter.build !== undefined) select = select.where('build_id', '=', filter.build);
  if (filter.agent !== undefined) select = select.where('agent_id', '=', filter.agent);
  const rows = await select.orderBy('taken_at').orderBy('id').execute();
  return rows.map(parseCheckpoint);
}

/** Those of an id, on whatever agents; the newest first. */
export async function checkpointsOfId(db: Db, id: string): Promise<readonly CheckpointRow[]> {
  const rows = await db
    .selectFrom('checkpoints')
    .selectAll()
    .where('id', '=', id)
    .orderBy('taken_at', 'desc')
    .orderBy('build_id')
    .execute();
  return rows.map(parseCheckpoint);
}

/** In no order between lineages; oldest first within each. */
export async function checkpointsOfLineages(
  db: Db,
  lineages: readonly string[],
): Promise<readonly CheckpointRow[]> {
  const found: CheckpointRow[] = [];
  await inChunks(lineages, 500, async (some) => {
    const rows = await db
      .selectFrom('checkpoints')
      .selectAll()
      .where('lineage', 'in', some)
      .orderBy('taken_at')
      .orderBy('id')
      .execute();
    found.push(...rows.map(parseCheckpoint));
  });
  return found;
}

/** States that are known to equal one of these, of builds at least as trusted; the newest first. */
export async function checkpointsOfKeys(
  db: Db,
  keys: readonly string[],
  trusted: Flag,
): Promise<readonly (CheckpointRow & { readonly key: string })[]> {
  const found: (CheckpointRow & { readonly key: string })[] = [];
  await inChunks(keys, 500, async (some) => {
    const rows = await db
      .selectFrom('checkpoints')
      .innerJoin('builds', 'builds.id', 'checkpoints.build_id')
      .selectAll('checkpoints')
      .where('key', 'in', some)
      .where('builds.trusted', '>=', trusted)
      .orderBy('taken_at', 'desc')
      .execute();
    found.push(
      ...rows.flatMap((row) => (row.key === null ? [] : [{ ...parseCheckpoint(row), key: row.key }])),
    );
  });
  return found;
}

/** The same without build and variant, in no order: quicker where there are thousands. */
export async function whoHolds(
  db: Db,
  lineages: readonly string[],
): Promise<readonly Omit<CheckpointRow, 'buildId' | 'variant' | 'key'>[]> {
  const found: Omit<CheckpointRow, 'buildId' | 'variant' | 'key'>[] = [];
  await inChunks(lineages, 500, async (some) => {
    const rows = await db
      .selectFrom('checkpoints')
      .select(['agent_id', 'id', 'lineage', 'workspace', 'label', 'previous', 'taken_at'])
      .where('lineage', 'in', some)
      .execute();
    for (const { agent_id: agentId, taken_at: takenAt, ...row } of rows)
      found.push({ agentId, takenAt, ...row });
  });
  return found;
}

/** How many each agent holds; one that holds none is missing. */
export async function countCheckpoints(db: Db): Promise<ReadonlyMap<AgentId, number>> {
  const rows = await db
    .selectFrom('checkpoints')
    .select(({ fn }) => ['agent_id', fn.countAll<number>().as('count')])
    .groupBy('agent_id')
    .execute();
  return new Map(rows.map(({ agent_id, count }) => [agent_id, count]));
}

/** How many were not there. */
async function insert(db: Db, rows: readonly Insertable<CheckpointsTable>[]): Promise<number> {
  const inserted = await db
    .insertInto('checkpoints')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['agent_id', 'id']).doNothing())
    .returning('id')
    .execute();
  return inserted.length;
}

function toRow(row: CheckpointRow, begins: boolean): Insertable<CheckpointsTable> {
  return {
    agent_id: row.agentId,
    id: row.id,
    build_id: row.buildId,
    variant: row.variant,
    lineage: row.lineage,
    workspace: row.workspace,
    label: row.label,
    previous: row.previous,
    taken_at: row.takenAt,
    key: row.key,
    begins: begins ? 1 : 0,
  };
}

function parseCheckpoint(row: Selectable<CheckpointsTable>): CheckpointRow {
  return {
    agentId: row.agent_id,
    id: row.id,
    buildId: row.build_id,
    variant: row.variant,
    lineage: row.lineage,
    workspace: row.workspace,
    label: row.label,
    previous: row.previous,
    takenAt: row.taken_at,
    key: row.key,
  };
}
