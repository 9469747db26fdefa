import type { AgentId, AttemptEnd, AttemptId, AttemptState, BuildId, JobId } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { groupBy } from './group-by.js';
import { fromJson } from './json.js';
import type { AttemptsTable } from './schema.js';

/** An attempt as the history of its agent has it. */
export interface PastAttempt {
  readonly id: AttemptId;
  readonly build: BuildId;
  /** Distribution name of the manifest. */
  readonly name: string;
  readonly variant: string;
  readonly lane: string;
  readonly number: number;
  readonly state: AttemptState;
  readonly phase: string | null;
  readonly assignedAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly end: AttemptEnd | null;
  /** Those of its job, where it did not end well: the end may name one. */
  readonly steps: readonly { readonly index: number; readonly name: string }[];
}

/** In front of which attempt to go on. */
export type AttemptPosition = Pick<PastAttempt, 'assignedAt' | 'id'>;

/** What it was ever given, newest first. */
export async function attemptsOfAgent(
  db: Db,
  agent: AgentId,
  { before, limit }: { readonly before: AttemptPosition | null; readonly limit: number },
): Promise<readonly PastAttempt[]> {
  let select = db
    .selectFrom('attempts')
    .innerJoin('builds', 'builds.id', 'attempts.build_id')
    .innerJoin('jobs', 'jobs.id', 'attempts.job_id')
    .innerJoin('variants', 'variants.id', 'jobs.variant_id')
    .select([
      'attempts.id',
      'attempts.build_id as build',
      'attempts.job_id as job',
      'builds.name',
      'variants.name as variant',
      'jobs.lane',
      'attempts.number',
      'attempts.state',
      'attempts.phase',
      'attempts.assigned_at as assignedAt',
      'attempts.claimed_at as startedAt',
      'attempts.ended_at as endedAt',
      'attempts.end',
    ])
    .where('attempts.agent_id', '=', agent);
  if (before !== null) {
    select = select.where((eb) =>
      eb.or([
        eb('attempts.assigned_at', '<', before.assignedAt),
        eb.and([eb('attempts.assigned_at', '=', before.assignedAt), eb('attempts.id', '<', before.id)]),
      ]),
    );
  }
  const rows = await select
    .orderBy('attempts.assigned_at', 'desc')
    .orderBy('attempts.id', 'desc')
    .limit(limit)
    .execute();
  const parsed = rows.map((row) => ({
    ...row,
    end: row.end === null ? null : fromJson<AttemptsTable['end']>(row.end),
  }));
  const unwell = parsed.filter(({ end }) => end !== null && end.kind !== 'succeeded');
  const steps = await stepNames(db, [...new Set(unwell.map(({ job }) => job))]);
  return parsed.map(({ job, ...attempt }) => ({ ...attempt, steps: steps.get(job) ?? [] }));
}

async function stepNames(db: Db, jobs: readonly JobId[]): Promise<ReadonlyMap<JobId, PastAttempt['steps']>> {
  if (jobs.length === 0) return new Map();
  const rows = await db
    .selectFrom('steps')
    .select(['job_id', 'index', 'name'])
    .where('job_id', 'in', [...jobs])
    .orderBy('index')
    .execute();
  const byJob = groupBy(rows, ({ job_id }) => job_id);
  return new Map(
    [...byJob].map(([job, own]) => [job, own.map(({ index, name }) => ({ index, name }))] as const),
  );
}
