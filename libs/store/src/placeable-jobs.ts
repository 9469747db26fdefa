import type { AgentId, BuildId, JobId, Priority, VariantId } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { lineageOf, type JobRow } from './jobs.js';
import { rememberingJson } from './json.js';
import type { EndOriginRecord, JobRequirements, JobsTable } from './schema.js';

/** A waiting job with what the scheduler wants to know of its build. */
export interface WaitingJobRow {
  readonly id: JobId;
  readonly build: BuildId;
  /** Name of its build's distribution. */
  readonly distribution: string;
  readonly variant: VariantId;
  readonly index: number;
  readonly lineage: string;
  /** An agent has had it already, and may hold checkpoints of it. */
  readonly wasTried: boolean;
  /** Earlier lineages that are good for a part of it: up to the boundary in front of a step, by its index in the plan. */
  readonly ancestors: readonly { readonly lineage: string; readonly upToIndex: number }[];
  /** A checkpoint is taken behind its last step. */
  readonly hasEnd: boolean;
  readonly requires: JobRequirements;
  /** The job at whose end it goes on, that one's lineage, and the checkpoint that it ended at. */
  readonly base: {
    readonly jobId: JobId;
    readonly lineage: string;
    readonly checkpoint: string | null;
  } | null;
  readonly avoid: readonly AgentId[];
  readonly waitingSince: number;
  readonly waitingReason: string;
  readonly user: string;
  readonly priority: Priority;
  /** Who resumed the job said so, or else who submitted the build. */
  readonly onAgent: AgentId | null;
  readonly createdAt: number;
  /** It may go on from what others made of the same steps. */
  readonly reuses: boolean;
  readonly isTrusted: boolean;
}

/** Jobs that could be placed, of builds that are to run. */
export async function waitingJobs(db: Db): Promise<readonly WaitingJobRow[]> {
  return await placeableJobs(db, (select) => select.where('jobs.state', '=', 'waiting'));
}

/** The same of these jobs, which others than their agents might take over. */
export async function runningJobs(db: Db, ids: readonly JobId[]): Promise<readonly WaitingJobRow[]> {
  if (ids.length === 0) return [];
  return await placeableJobs(db, (select) =>
    select.where('jobs.state', '=', 'running').where('jobs.id', 'in', [...ids]),
  );
}

type Selection = ReturnType<typeof selectJobs>;

function selectJobs(db: Db) {
  return db.selectFrom('jobs');
}

/** There may be ten thousand, of few builds: so what is the build's is read once for each. */
async function placeableJobs(
  db: Db,
  which: (select: Selection) => Selection,
): Promise<readonly WaitingJobRow[]> {
  const builds = await db
    .selectFrom('builds')
    .select(['id', 'name', 'user', 'priority', 'on_agent', 'created_at', 'reuse', 'trusted'])
    .where('wish', '=', 'run')
    .where('id', 'in', which(selectJobs(db)).select('jobs.build_id'))
    .execute();
  const buildById = new Map(builds.map((build) => [build.id, build]));
  const rows = await which(selectJobs(db))
    .innerJoin('variants', 'variants.id', 'jobs.variant_id')
    .leftJoin('pins', 'pins.job_id', 'jobs.id')
    .select([
      'jobs.id',
      'jobs.build_id',
      'jobs.variant_id',
      'variants.name as variant_name',
      'jobs.index',
      'jobs.generation',
      'jobs.epoch',
      'jobs.ancestry',
      'jobs.end_label',
      'jobs.base_job',
      'jobs.requires',
      'jobs.avoid',
      'jobs.waiting_since',
      'jobs.waiting_reason',
      'pins.agent_id as pinned_to',
    ])
    .execute();
  const bases = rows.some(({ base_job }) => base_job !== null)
    ? await basesOf(which(selectJobs(db)))
    : NO_BASES;
  // Most of them say the same.
  const requirementsOf = rememberingJson<JobsTable['requires']>();
  const ancestryOf = rememberingJson<JobsTable['ancestry']>();
  const avoidOf = rememberingJson<JobsTable['avoid']>();
  return rows.flatMap((row): WaitingJobRow[] => {
    const build = buildById.get(row.build_id);
    if (build === undefined) return [];
    const lineageAt = (index: number, generation: number): string =>
      lineageOf(row.build_id, row.variant_name, index, generation);
    const base = bases.get(row.id);
    return [
      {
        id: row.id,
        build: row.build_id,
        distribution: build.name,
        variant: row.variant_id,
        index: row.index,
        lineage: lineageAt(row.index, row.generation),
        wasTried: row.epoch > 0,
        ancestors: ancestryOf(row.ancestry).map(({ generation, upToIndex }) => ({
          lineage: lineageAt(row.index, generation),
          upToIndex,
        })),
        hasEnd: row.end_label !== null,
        requires: requirementsOf(row.requires),
        base:
          base === undefined
            ? null
            : {
                jobId: base.id,
                lineage: base.endOrigin?.lineage ?? lineageAt(base.index, base.generation),
                checkpoint: base.end_checkpoint,
              },
        avoid: avoidOf(row.avoid),
        waitingSince: row.waiting_since ?? build.created_at,
        waitingReason: row.waiting_reason,
        user: build.user,
        priority: build.priority,
        onAgent: row.pinned_to ?? build.on_agent,
        createdAt: build.created_at,
        reuses: build.reuse === 1 && row.generation === 1,
        isTrusted: build.trusted === 1,
      },
    ];
  });
}

interface BaseOfJob extends Pick<JobRow, 'id' | 'index' | 'generation' | 'end_checkpoint'> {
  readonly endOrigin: EndOriginRecord | null;
}
type Bases = ReadonlyMap<JobId, BaseOfJob>;
const NO_BASES: Bases = new Map();

/** By job the one at whose end it goes on. */
async function basesOf(selection: Selection): Promise<Bases> {
  const rows = await selection
    .innerJoin('jobs as base', (join) =>
      join.onRef('base.variant_id', '=', 'jobs.variant_id').onRef('base.index', '=', 'jobs.base_job'),
    )
    .select([
      'jobs.id as placeable',
      'base.id',
      'base.index',
      'base.generation',
      'base.end_checkpoint',
      'base.end_origin',
    ])
    .execute();
  const originOf = rememberingJson<JobsTable['end_origin']>();
  return new Map(
    rows.map(({ placeable, end_origin, ...base }) => [
      placeable,
      { ...base, endOrigin: end_origin === null ? null : originOf(end_origin) },
    ]),
  );
}
