import type { AgentId, AttemptId, BuildId, BuildState, JobId } from '#libs/contracts';
import type { CheckpointRow } from './checkpoints.js';
import type { Db } from './farm-database.js';
import { lineageOf } from './jobs.js';
import { fromJson, rememberingJson } from './json.js';
import type { JobRequirements, JobsTable } from './schema.js';

/** A job that an agent has begun, of a build whose checkpoints are to be on several agents. It is not done, or one that goes on from it is not. */
export interface ReplicatedJobRow {
  readonly build: BuildId;
  readonly lane: string;
  /** Name of its variant. */
  readonly variant: string;
  /** Copies on other agents. */
  readonly replicas: number;
  readonly lineage: string;
  /** Earlier lineages, and the label of the boundary up to which each is good for it; the newest last. */
  readonly ancestors: readonly { readonly lineage: string; readonly upTo: string }[];
  /** Id of the checkpoint that it ended at; `null` until it has succeeded. */
  readonly end: string | null;
  readonly base: { readonly workspace: string; readonly checkpoint: string | null } | null;
  readonly requires: JobRequirements;
  /** Who has the job now. */
  readonly agent: AgentId | null;
  /** Since when it has been in want of copies that are not there; `null`: it is not. */
  readonly lateSince: number | null;
}

/** A failed build can be resumed until it is collected. */
const CAN_GO_ON: BuildState[] = ['waiting', 'running', 'paused', 'failed'];

/** In the order of submission. */
export async function replicatedJobs(
  db: Db,
  only: { readonly job?: JobId } = {},
): Promise<readonly ReplicatedJobRow[]> {
  let select = db
    .selectFrom('jobs')
    .innerJoin('builds', 'builds.id', 'jobs.build_id')
    .innerJoin('variants', 'variants.id', 'jobs.variant_id')
    .leftJoin('jobs as base', (join) =>
      join.onRef('base.variant_id', '=', 'jobs.variant_id').onRef('base.index', '=', 'jobs.base_job'),
    )
    .leftJoin('attempts', (join) =>
      join.onRef('attempts.job_id', '=', 'jobs.id').on('attempts.state', 'in', ['assigned', 'running']),
    )
    .select([
      'jobs.build_id',
      'jobs.lane',
      'variants.name as variant_name',
      'builds.replicas',
      'jobs.index',
      'jobs.generation',
      'jobs.ancestry',
      'jobs.requires',
      'jobs.state',
      'jobs.end_checkpoint',
      'jobs.base_workspace',
      'base.end_checkpoint as base_checkpoint',
      'attempts.agent_id',
      'attempts.copies_late_since',
    ])
    .where('builds.replicas', '>', 0)
    .where('builds.state', 'in', CAN_GO_ON)
    .where('builds.collected_at', 'is', null)
    .where((where) =>
      where.or([
        where('jobs.state', 'in', ['waiting', 'assigned', 'running', 'paused', 'failed']),
        where.and([
          where('jobs.state', '=', 'succeeded'),
          where.exists(
            where
              .selectFrom('jobs as next')
              .select('next.id')
              .whereRef('next.variant_id', '=', 'jobs.variant_id')
              .whereRef('next.base_job', '=', 'jobs.index')
              .where('next.state', 'not in', ['succeeded', 'cancelled']),
          ),
        ]),
      ]),
    )
    .where('jobs.epoch', '>', 0);
  if (only.job !== undefined) select = select.where('jobs.id', '=', only.job);
  const rows = await select
    .orderBy('builds.created_at')
    .orderBy('jobs.build_id')
    .orderBy('variants.name')
    .orderBy('jobs.index')
    .execute();
  const requirementsOf = rememberingJson<JobsTable['requires']>();
  return rows.map((row) => {
    const lineage = (index: number, generation: number): string =>
      lineageOf(row.build_id, row.variant_name, index, generation);
    return {
      build: row.build_id,
      lane: row.lane,
      variant: row.variant_name,
      replicas: row.replicas,
      lineage: lineage(row.index, row.generation),
      ancestors: fromJson<JobsTable['ancestry']>(row.ancestry).map(({ generation, upTo }) => ({
        lineage: lineage(row.index, generation),
        upTo: `.step_${upTo}`,
      })),
      end: row.state === 'succeeded' ? row.end_checkpoint : null,
      base:
        row.base_workspace === null
          ? null
          : { workspace: row.base_workspace, checkpoint: row.base_checkpoint },
      requires: requirementsOf(row.requires),
      agent: row.agent_id,
      lateSince: row.copies_late_since,
    };
  });
}

/** All checkpoints of builds that can go on and whose checkpoints are to be on several agents. */
export async function checkpointsOfReplicated(
  db: Db,
): Promise<readonly Pick<CheckpointRow, 'agentId' | 'id' | 'buildId' | 'variant' | 'takenAt'>[]> {
  const rows = await db
    .selectFrom('checkpoints')
    .innerJoin('builds', 'builds.id', 'checkpoints.build_id')
    .select(['agent_id', 'checkpoints.id', 'build_id', 'variant', 'taken_at'])
    .where('builds.replicas', '>', 0)
    .where('builds.state', 'in', CAN_GO_ON)
    .where('builds.collected_at', 'is', null)
    .execute();
  return rows.map((row) => ({
    agentId: row.agent_id,
    id: row.id,
    buildId: row.build_id,
    variant: row.variant,
    takenAt: row.taken_at,
  }));
}

/** The attempt waits for copies, or has given that up; `null`: they are there. */
export async function setCopiesLate(
  db: Db,
  attempt: AttemptId,
  late: { readonly since: number; readonly of: string } | null,
): Promise<void> {
  await db
    .updateTable('attempts')
    .set({ copies_late_since: late?.since ?? null, copies_late_of: late?.of ?? null })
    .where('id', '=', attempt)
    .execute();
}

/** Agents with an attempt of the lineage that is in want of copies. */
export async function agentsInWantOfCopies(db: Db, lineage: string): Promise<readonly AgentId[]> {
  const rows = await db
    .selectFrom('attempts')
    .select('agent_id')
    .where('state', '=', 'running')
    .where('copies_late_since', 'is not', null)
    .where('lineage', '=', lineage)
    .execute();
  return rows.map(({ agent_id }) => agent_id);
}
