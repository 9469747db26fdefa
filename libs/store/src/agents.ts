import type { Selectable, Transaction, Updateable } from 'kysely';
import type { AgentFacts, AgentId, AgentLoad, PeerAddress } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { fromJson, toJson } from './json.js';
import type { AgentsTable, Schema } from './schema.js';

/** As AgentsTable, which says what each field means. */
export interface AgentRow {
  readonly id: AgentId;
  readonly name: string;
  readonly keyHash: string;
  readonly facts: AgentFacts;
  readonly load: AgentLoad | null;
  readonly instance: string | null;
  readonly drained: boolean;
  readonly letsFinish: boolean;
  readonly paused: boolean;
  readonly pausedUntil: number | null;
  readonly reason: string;
  readonly leaving: boolean;
  readonly enrolledAt: number;
  readonly lastSeenAt: number | null;
  readonly lostAt: number | null;
  readonly revokedAt: number | null;
  readonly failures: number;
  readonly quarantinedUntil: number | null;
  readonly dropping: readonly string[];
  readonly peer: PeerAddress | null;
}

export interface NewAgent {
  readonly id: AgentId;
  readonly name: string;
  readonly keyHash: string;
  readonly facts: AgentFacts;
}

/** Fails with a unique violation when another agent, even a revoked one, has the name. */
export async function insertAgent(db: Db, agent: NewAgent, now: number): Promise<AgentRow> {
  const row = await db
    .insertInto('agents')
    .values({
      id: agent.id,
      name: agent.name,
      key_hash: agent.keyHash,
      facts: toJson<AgentsTable['facts']>(agent.facts),
      load: null,
      instance: null,
      drained: 0,
      lets_finish: 0,
      paused: 0,
      paused_until: null,
      reason: '',
      leaving: 0,
      enrolled_at: now,
      last_seen_at: null,
      lost_at: null,
      revoked_at: null,
      failures: 0,
      quarantined_until: null,
      dropping: toJson<AgentsTable['dropping']>([]),
      peer: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return parseAgent(row);
}

export async function findAgent(db: Db, id: AgentId): Promise<AgentRow | null> {
  return parseOne(await db.selectFrom('agents').selectAll().where('id', '=', id).executeTakeFirst());
}

export async function findAgentByName(db: Db, name: string): Promise<AgentRow | null> {
  return parseOne(await db.selectFrom('agents').selectAll().where('name', '=', name).executeTakeFirst());
}

/** Also of a revoked agent: whoever asks refuses it in words. */
export async function findAgentByKeyHash(db: Db, hash: string): Promise<AgentRow | null> {
  return parseOne(await db.selectFrom('agents').selectAll().where('key_hash', '=', hash).executeTakeFirst());
}

/** All of them, with the revoked ones, by name. */
export async function listAgents(db: Db): Promise<readonly AgentRow[]> {
  const rows = await db.selectFrom('agents').selectAll().orderBy('name').execute();
  return rows.map(parseAgent);
}

/** Those that are not lost yet, nor revoked, and were last seen before `before`. */
export async function silentAgents(
  db: Db,
  before: number,
): Promise<readonly Pick<AgentRow, 'id' | 'name' | 'lastSeenAt'>[]> {
  return await db
    .selectFrom('agents')
    .select(['id', 'name', 'last_seen_at as lastSeenAt'])
    .where('last_seen_at', '<', before)
    .where('lost_at', 'is', null)
    .where('revoked_at', 'is', null)
    .orderBy('name')
    .execute();
}

/** Those that are not revoked. */
export async function countAgents(db: Db): Promise<number> {
  const { count } = await db
    .selectFrom('agents')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('revoked_at', 'is', null)
    .executeTakeFirstOrThrow();
  return count;
}

export interface AgentHello {
  readonly instance: string;
  readonly facts: AgentFacts;
  readonly peer: PeerAddress | null;
}

/** From now on the process `instance` is the agent. It is not lost any more, and not leaving. */
export async function recordHello(db: Db, id: AgentId, hello: AgentHello, now: number): Promise<void> {
  await change(db, id, {
    instance: hello.instance,
    facts: toJson<AgentsTable['facts']>(hello.facts),
    peer: hello.peer === null ? null : toJson<AgentsTable['peer']>(hello.peer),
    last_seen_at: now,
    lost_at: null,
    leaving: 0,
  });
}

export interface AgentHeartbeat {
  readonly instance: string;
  readonly load: AgentLoad;
  readonly freeBytes: number;
  readonly usedBytes: number;
  readonly leaving: boolean;
}

/** The agent as it is then. `null`, and nothing changed, when another process has said hello since, or the agent was revoked. */
export async function recordHeartbeat(
  db: Db,
  id: AgentId,
  heartbeat: AgentHeartbeat,
  now: number,
): Promise<AgentRow | null> {
  const { instance, load, freeBytes, usedBytes } = heartbeat;
  // Only a hello changes other facts, and it changes the instance, too: then the update below finds no row.
  const before = await findAgent(db, id);
  if (before?.instance !== instance) return null;
  const row = await db
    .updateTable('agents')
    .set({
      load: toJson<AgentsTable['load']>(load),
      facts: toJson<AgentsTable['facts']>({ ...before.facts, freeBytes, usedBytes }),
      leaving: heartbeat.leaving ? 1 : 0,
      last_seen_at: now,
      lost_at: null,
    })
    .where('id', '=', id)
    .where('instance', '=', instance)
    .where('revoked_at', 'is', null)
    .returningAll()
    .executeTakeFirst();
  return parseOne(row);
}

export async function drainAgent(
  db: Db,
  id: AgentId,
  drain: { readonly reason: string; readonly letsFinish: boolean },
): Promise<void> {
  await change(db, id, { drained: 1, lets_finish: drain.letsFinish ? 1 : 0, reason: drain.reason });
}

export async function undrainAgent(db: Db, id: AgentId): Promise<void> {
  await change(db, id, { drained: 0, lets_finish: 0 });
  await forgetReason(db, id);
}

/** `until`: when it ends by itself, see `unpauseDueAgents`; `null`: when somebody says so. */
export async function pauseAgent(
  db: Db,
  id: AgentId,
  pause: { readonly reason: string; readonly until: number | null },
): Promise<void> {
  await change(db, id, { paused: 1, paused_until: pause.until, reason: pause.reason });
}

/** Ends its quarantine, too. */
export async function unpauseAgent(db: Db, id: AgentId): Promise<void> {
  await change(db, id, { paused: 0, paused_until: null });
  await clearAgentFailures(db, id);
  await forgetReason(db, id);
}

/** Ends the pauses whose time is over, and says of which agents. */
export async function unpauseDueAgents(db: Db, now: number): Promise<readonly AgentId[]> {
  const rows = await db
    .updateTable('agents')
    .set({ paused: 0, paused_until: null })
    .where('paused', '=', 1)
    .where('paused_until', '<=', now)
    .returning('id')
    .execute();
  for (const { id } of rows) await forgetReason(db, id);
  return rows.map(({ id }) => id);
}

/** Its key is worth nothing from now on. False when it was revoked before. */
export async function revokeAgent(db: Db, id: AgentId, now: number): Promise<boolean> {
  const row = await db
    .updateTable('agents')
    .set({ revoked_at: now })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Says that it is lost, unless it was seen at `seenBefore` or later, or is lost already; and whether that is so now by this call. */
export async function markAgentLost(db: Db, id: AgentId, seenBefore: number, now: number): Promise<boolean> {
  const row = await db
    .updateTable('agents')
    .set({ lost_at: now })
    .where('id', '=', id)
    .where('last_seen_at', '<', seenBefore)
    .where('lost_at', 'is', null)
    .where('revoked_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** One more infrastructure failure in a row; gives how many there are now. */
export async function countAgentFailure(db: Db, id: AgentId): Promise<number> {
  const row = await db
    .updateTable('agents')
    .set((eb) => ({ failures: eb('failures', '+', 1) }))
    .where('id', '=', id)
    .returning('failures')
    .executeTakeFirst();
  return row?.failures ?? 0;
}

/** It gets nothing until then. */
export async function quarantineAgent(db: Db, id: AgentId, until: number): Promise<void> {
  await change(db, id, { quarantined_until: until });
}

/** It did something well: the row of failures is over, and so is the quarantine. */
export async function clearAgentFailures(db: Db, id: AgentId): Promise<void> {
  await db
    .updateTable('agents')
    .set({ failures: 0, quarantined_until: null })
    .where('id', '=', id)
    .where((eb) => eb.or([eb('failures', '>', 0), eb('quarantined_until', 'is not', null)]))
    .execute();
}

/** It is to be told to drop these areas, until it says that it did. Each once. */
export async function addDropping(
  tx: Transaction<Schema>,
  id: AgentId,
  areas: readonly string[],
): Promise<void> {
  await changeDropping(tx, id, (dropping) => [...new Set([...dropping, ...areas])]);
}

/** It said that it dropped them, or they are wanted again. */
export async function removeDropping(
  tx: Transaction<Schema>,
  id: AgentId,
  areas: readonly string[],
): Promise<void> {
  const gone = new Set(areas);
  await changeDropping(tx, id, (dropping) => dropping.filter((area) => !gone.has(area)));
}

async function changeDropping(
  tx: Transaction<Schema>,
  id: AgentId,
  edit: (dropping: readonly string[]) => readonly string[],
): Promise<void> {
  // An update that changes nothing: it locks the row in both databases.
  const row = await tx
    .updateTable('agents')
    .set((eb) => ({ id: eb.ref('id') }))
    .where('id', '=', id)
    .returning('dropping')
    .executeTakeFirst();
  if (row === undefined) return;
  const dropping = edit(fromJson<AgentsTable['dropping']>(row.dropping));
  await change(tx, id, { dropping: toJson<AgentsTable['dropping']>(dropping) });
}

async function change(db: Db, id: AgentId, values: Updateable<AgentsTable>): Promise<void> {
  await db.updateTable('agents').set(values).where('id', '=', id).execute();
}

/** Of one that is neither drained nor paused any more. */
async function forgetReason(db: Db, id: AgentId): Promise<void> {
  await db
    .updateTable('agents')
    .set({ reason: '' })
    .where('id', '=', id)
    .where('drained', '=', 0)
    .where('paused', '=', 0)
    .execute();
}

function parseOne(row: Selectable<AgentsTable> | undefined): AgentRow | null {
  return row === undefined ? null : parseAgent(row);
}

function parseAgent(row: Selectable<AgentsTable>): AgentRow {
  return {
    id: row.id,
    name: row.name,
    keyHash: row.key_hash,
    facts: fromJson<AgentsTable['facts']>(row.facts),
    load: fromJson<AgentsTable['load']>(row.load),
    instance: row.instance,
    drained: row.drained === 1,
    letsFinish: row.lets_finish === 1,
    paused: row.paused === 1,
    pausedUntil: row.paused_until,
    reason: row.reason,
    leaving: row.leaving === 1,
    enrolledAt: row.enrolled_at,
    lastSeenAt: row.last_seen_at,
    lostAt: row.lost_at,
    revokedAt: row.revoked_at,
    failures: row.failures,
    quarantinedUntil: row.quarantined_until,
    dropping: fromJson<AgentsTable['dropping']>(row.dropping),
    peer: fromJson<AgentsTable['peer']>(row.peer),
  };
}
