import type { Selectable } from 'kysely';
import type { AgentId, AttemptEnd, AttemptId, BuildId, JobId, StepOutcome, Wish } from '#libs/contracts';
import { inChunks } from './builds.js';
import type { Db } from './farm-database.js';
import { groupBy } from './group-by.js';
import { fromJson, rememberingJson, toJson } from './json.js';
import type { AttemptsTable, AttemptStepsTable, JobRequirements, JobsTable } from './schema.js';

export interface AttemptRow extends Omit<Selectable<AttemptsTable>, 'end'> {
  readonly end: AttemptEnd | null;
}

function parseAttempt(row: Selectable<AttemptsTable>): AttemptRow {
  return { ...row, end: row.end === null ? null : fromJson<AttemptsTable['end']>(row.end) };
}

export interface NewAttempt {
  readonly id: AttemptId;
  readonly job: JobId;
  readonly build: BuildId;
  readonly number: number;
  readonly epoch: number;
  readonly agent: AgentId;
  readonly lineage: string;
  /** As in the record. Default: all. */
  readonly fetchUpTo?: number | null;
  readonly now: number;
  /** Until when the agent must have fetched it. */
  readonly leaseUntil: number;
}

/** Records an assignment, and the message that tells the agent of it, in the caller's transaction. */
export async function insertAttempt(tx: Db, attempt: NewAttempt): Promise<void> {
  await tx
    .insertInto('attempts')
    .values({
      id: attempt.id,
      job_id: attempt.job,
      build_id: attempt.build,
      number: attempt.number,
      epoch: attempt.epoch,
      agent_id: attempt.agent,
      token_hash: null,
      state: 'assigned',
      phase: null,
      lineage: attempt.lineage,
      fetch_up_to: attempt.fetchUpTo ?? null,
      assigned_at: attempt.now,
      claimed_at: null,
      ended_at: null,
      lease_until: attempt.leaseUntil,
      end: null,
      last_seq: 0,
      log_bytes: 0,
      log_final_bytes: null,
    })
    .execute();
  await tx
    .insertInto('outbox')
    .values({
      attempt_id: attempt.id,
      agent_id: attempt.agent,
      epoch: attempt.epoch,
      created_at: attempt.now,
      sent_at: null,
    })
    .execute();
}

export async function findAttempt(db: Db, id: AttemptId): Promise<AttemptRow | null> {
  const row = await db.selectFrom('attempts').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : parseAttempt(row);
}

/** The same, and makes every other transaction that wants this attempt wait until this one has ended. */
export async function lockAttempt(tx: Db, id: AttemptId): Promise<AttemptRow | null> {
  const row = await tx
    .updateTable('attempts')
    .set((update) => ({ id: update.ref('id') }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
  return row === undefined ? null : parseAttempt(row);
}

/** Oldest first. */
export async function attemptsOfBuild(db: Db, build: BuildId): Promise<readonly AttemptRow[]> {
  const rows = await db
    .selectFrom('attempts')
    .selectAll()
    .where('build_id', '=', build)
    .orderBy('assigned_at')
    .orderBy('number')
    .execute();
  return rows.map(parseAttempt);
}

/** Of jobs of one build; oldest first. */
export async function attemptsOfJobs(
  db: Db,
  build: BuildId,
  jobs: readonly JobId[],
): Promise<readonly AttemptRow[]> {
  const found: AttemptRow[] = [];
  await inChunks(jobs, 500, async (some) => {
    const rows = await db
      .selectFrom('attempts')
      .selectAll()
      .where('build_id', '=', build)
      .where('job_id', 'in', some)
      .orderBy('assigned_at')
      .orderBy('number')
      .execute();
    found.push(...rows.map(parseAttempt));
  });
  return found;
}

export async function countAttempts(db: Db, job: JobId): Promise<number> {
  const row = await db
    .selectFrom('attempts')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('job_id', '=', job)
    .executeTakeFirstOrThrow();
  return row.count;
}

/** Those that are not over: of one agent, or of the farm. */
export async function openAttempts(db: Db, agent?: AgentId): Promise<readonly AttemptRow[]> {
  const all = db.selectFrom('attempts').selectAll().where('state', 'in', ['assigned', 'running']);
  const rows = await (agent === undefined ? all : all.where('agent_id', '=', agent)).execute();
  return rows.map(parseAttempt);
}

/** Those that are not over and whose lease was not renewed in time. */
export async function attemptsPastLease(db: Db, now: number): Promise<readonly AttemptRow[]> {
  const rows = await db
    .selectFrom('attempts')
    .selectAll()
    .where('state', 'in', ['assigned', 'running'])
    .where('lease_until', '<=', now)
    .execute();
  return rows.map(parseAttempt);
}

/** What the agent was to fetch and has not fetched, oldest first, and of one pass in the order of the jobs. */
export async function assignedBefore(
  db: Db,
  agent: AgentId,
  at: number,
): Promise<readonly Pick<AttemptRow, 'id' | 'epoch'>[]> {
  return await db
    .selectFrom('attempts')
    .innerJoin('jobs', 'jobs.id', 'attempts.job_id')
    .select(['attempts.id', 'attempts.epoch'])
    .where('attempts.agent_id', '=', agent)
    .where('attempts.state', '=', 'assigned')
    .where('attempts.assigned_at', '<', at)
    .orderBy('attempts.assigned_at')
    .orderBy('jobs.index')
    .execute();
}

/** Whether the attempt has ended a step that no other attempt of its lineage has got as far as. */
export async function isFurthest(
  db: Db,
  attempt: Pick<AttemptRow, 'id' | 'job_id' | 'lineage'>,
): Promise<boolean> {
  const rows = await db
    .selectFrom('attempt_steps')
    .innerJoin('attempts', 'attempts.id', 'attempt_steps.attempt_id')
    .select(['attempts.id', (select) => select.fn.max('attempt_steps.index').as('furthest')])
    .where('attempts.job_id', '=', attempt.job_id)
    .where('attempts.lineage', '=', attempt.lineage)
    .where('attempt_steps.outcome', '=', toJson<AttemptStepsTable['outcome']>({ kind: 'succeeded' }))
    .groupBy('attempts.id')
    .execute();
  const own = rows.find(({ id }) => id === attempt.id)?.furthest;
  return own !== undefined && rows.every(({ id, furthest }) => id === attempt.id || furthest < own);
}

/** The job's attempt that is not over; a job has at most one. */
export async function openAttemptOf(db: Db, job: JobId): Promise<AttemptRow | null> {
  const row = await db
    .selectFrom('attempts')
    .selectAll()
    .where('job_id', '=', job)
    .where('state', 'in', ['assigned', 'running'])
    .executeTakeFirst();
  return row === undefined ? null : parseAttempt(row);
}

/** What an open attempt means to the scheduler. */
export interface AttemptLoad {
  readonly agent: AgentId;
  readonly user: string;
  readonly assignedAt: number;
  readonly requires: JobRequirements;
}

export async function attemptLoads(db: Db): Promise<readonly AttemptLoad[]> {
  const rows = await db
    .selectFrom('attempts')
    .innerJoin('builds', 'builds.id', 'attempts.build_id')
    .innerJoin('jobs', 'jobs.id', 'attempts.job_id')
    .select(['attempts.agent_id', 'builds.user', 'attempts.assigned_at', 'jobs.requires'])
    .where('attempts.state', 'in', ['assigned', 'running'])
    .execute();
  const requirementsOf = rememberingJson<JobsTable['requires']>();
  return rows.map((row) => ({
    agent: row.agent_id,
    user: row.user,
    assignedAt: row.assigned_at,
    requires: requirementsOf(row.requires),
  }));
}

/** The agent has it now. False when it is another's, over, or fetched already. */
export async function claimAttempt(
  tx: Db,
  claim: {
    readonly id: AttemptId;
    readonly epoch: number;
    readonly agent: AgentId;
    readonly tokenHash: string;
    readonly now: number;
    readonly leaseUntil: number;
  },
): Promise<boolean> {
  const row = await tx
    .updateTable('attempts')
    .set({
      state: 'running',
      token_hash: claim.tokenHash,
      claimed_at: claim.now,
      lease_until: claim.leaseUntil,
    })
    .where('id', '=', claim.id)
    .where('epoch', '=', claim.epoch)
    .where('agent_id', '=', claim.agent)
    .where('state', '=', 'assigned')
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** What an agent runs, with what is wished of it. */
export interface AgentLease {
  readonly id: AttemptId;
  readonly job: JobId;
  readonly epoch: number;
  readonly tokenHash: string | null;
  readonly wish: Wish;
  readonly pauseBefore: string | null;
  readonly claimedAt: number | null;
  readonly lastSeq: number;
}

/** For the answer to its heartbeat. */
export async function leasesOfAgent(db: Db, agent: AgentId): Promise<readonly AgentLease[]> {
  return await db
    .selectFrom('attempts')
    .innerJoin('builds', 'builds.id', 'attempts.build_id')
    .select([
      'attempts.id',
      'attempts.job_id as job',
      'attempts.epoch',
      'attempts.token_hash as tokenHash',
      'builds.wish',
      'builds.pause_before as pauseBefore',
      'attempts.claimed_at as claimedAt',
      'attempts.last_seq as lastSeq',
    ])
    .where('attempts.agent_id', '=', agent)
    .where('attempts.state', '=', 'running')
    .execute();
}

export async function renewLeases(
  db: Db,
  agent: AgentId,
  attempts: readonly AttemptId[],
  leaseUntil: number,
): Promise<void> {
  if (attempts.length === 0) return;
  await db
    .updateTable('attempts')
    .set({ lease_until: leaseUntil })
    .where('agent_id', '=', agent)
    .where('state', '=', 'running')
    .where('id', 'in', [...attempts])
    .execute();
}

/** Only what is still open can end, and only once. */
export async function endAttempt(
  tx: Db,
  id: AttemptId,
  epoch: number,
  end: AttemptEnd,
  now: number,
): Promise<boolean> {
  const row = await tx
    .updateTable('attempts')
    .set({ state: 'ended', ended_at: now, end: toJson(end), lease_until: null, phase: null })
    .where('id', '=', id)
    .where('epoch', '=', epoch)
    .where('state', '!=', 'ended')
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Takes the reports up to `seq` as kept. False when the attempt is over or another batch came first: then nothing of this one counts.
 */
export async function advanceReports(
  tx: Db,
  id: AttemptId,
  epoch: number,
  from: number,
  to: number,
): Promise<boolean> {
  const row = await tx
    .updateTable('attempts')
    .set({ last_seq: to })
    .where('id', '=', id)
    .where('epoch', '=', epoch)
    .where('last_seq', '=', from)
    .where('state', '=', 'running')
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

export async function setAttemptPhase(tx: Db, id: AttemptId, phase: string): Promise<void> {
  await tx.updateTable('attempts').set({ phase }).where('id', '=', id).execute();
}

/** The log only grows. */
export async function setLogBytes(db: Db, id: AttemptId, bytes: number): Promise<void> {
  await db
    .updateTable('attempts')
    .set({ log_bytes: bytes })
    .where('id', '=', id)
    .where('log_bytes', '<', bytes)
    .execute();
}

export async function setLogFinalBytes(db: Db, id: AttemptId, bytes: number): Promise<void> {
  await db.updateTable('attempts').set({ log_final_bytes: bytes }).where('id', '=', id).execute();
}

export async function startAttemptStep(tx: Db, id: AttemptId, index: number, at: number): Promise<void> {
  await tx
    .insertInto('attempt_steps')
    .values({ attempt_id: id, index, started_at: at, ended_at: null, outcome: null })
    // Within one attempt a step begins anew where room was made for it: how long it takes counts from then.
    .onConflict((conflict) =>
      conflict
        .columns(['attempt_id', 'index'])
        .doUpdateSet({ started_at: at, ended_at: null, outcome: null }),
    )
    .execute();
}

export async function endAttemptStep(
  tx: Db,
  id: AttemptId,
  index: number,
  at: number,
  outcome: StepOutcome,
): Promise<void> {
  await tx
    .updateTable('attempt_steps')
    .set({ ended_at: at, outcome: toJson(outcome) })
    .where('attempt_id', '=', id)
    .where('index', '=', index)
    .execute();
}

/** `null` when the attempt has not started the step. */
export async function attemptStepStartedAt(db: Db, id: AttemptId, index: number): Promise<number | null> {
  const row = await db
    .selectFrom('attempt_steps')
    .select('started_at')
    .where('attempt_id', '=', id)
    .where('index', '=', index)
    .executeTakeFirst();
  return row?.started_at ?? null;
}

/** An attempt at a job, and what was heard of its steps, by index. */
export interface JobTry {
  readonly attempt: AttemptId;
  readonly claimedAt: number | null;
  readonly steps: ReadonlyMap<
    number,
    {
      readonly startedAt: number;
      readonly endedAt: number | null;
      readonly outcome: StepOutcome | null;
    }
  >;
}

/** In the order of the attempts. */
export async function triesOfJob(db: Db, job: JobId): Promise<readonly JobTry[]> {
  const attempts = await db
    .selectFrom('attempts')
    .select(['id', 'claimed_at'])
    .where('job_id', '=', job)
    .orderBy('epoch')
    .execute();
  const steps = await db
    .selectFrom('attempt_steps')
    .innerJoin('attempts', 'attempts.id', 'attempt_steps.attempt_id')
    .selectAll('attempt_steps')
    .where('attempts.job_id', '=', job)
    .execute();
  const byAttempt = groupBy(steps, ({ attempt_id }) => attempt_id);
  return attempts.map(({ id, claimed_at }) => ({
    attempt: id,
    claimedAt: claimed_at,
    steps: new Map(
      (byAttempt.get(id) ?? []).map(({ index, started_at, ended_at, outcome }) => [
        index,
        {
          startedAt: started_at,
          endedAt: ended_at,
          outcome: outcome === null ? null : fromJson<AttemptStepsTable['outcome']>(outcome),
        },
      ]),
    ),
  }));
}
