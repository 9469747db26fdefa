import type { AgentId, BuildId, BuildState } from '#libs/contracts';
import { groupBy } from './group-by.js';
import type { Db } from './farm-database.js';
import { fromJson } from './json.js';
import type { JobsTable } from './schema.js';

/** What an agent holds of a variant of a build. */
export interface HeldAreaRow {
  readonly agentId: AgentId;
  readonly buildId: BuildId;
  readonly variant: string;
  /** How many it has said that it holds. */
  readonly checkpoints: number;
  /** When the oldest and the newest of them were taken; of none, when the area was measured. */
  readonly firstAt: number;
  readonly newestAt: number;
  /** What would be free without it; `null`: it was not measured yet. */
  readonly usedBytes: number | null;
}

export interface AreaSize {
  readonly buildId: BuildId;
  readonly variant: string;
  readonly usedBytes: number;
}

/** The newest measure counts. */
export async function recordAreaSizes(
  db: Db,
  agent: AgentId,
  sizes: readonly AreaSize[],
  now: number,
): Promise<void> {
  for (const { buildId, variant, usedBytes } of sizes) {
    const measured = { used_bytes: usedBytes, measured_at: now };
    await db
      .insertInto('area_sizes')
      .values({ agent_id: agent, build_id: buildId, variant, ...measured })
      .onConflict((conflict) => conflict.columns(['agent_id', 'build_id', 'variant']).doUpdateSet(measured))
      .execute();
  }
}

/** The agent said that it dropped the area. */
export async function removeAreaSize(db: Db, agent: AgentId, build: BuildId, variant: string): Promise<void> {
  await db
    .deleteFrom('area_sizes')
    .where('agent_id', '=', agent)
    .where('build_id', '=', build)
    .where('variant', '=', variant)
    .execute();
}

/** The agent has said that it has no others than these. */
export async function keepAreaSizes(
  db: Db,
  agent: AgentId,
  areas: readonly Pick<AreaSize, 'buildId' | 'variant'>[],
): Promise<void> {
  const there = new Set(areas.map(({ buildId, variant }) => `${buildId}.${variant}`));
  const known = await db
    .selectFrom('area_sizes')
    .select(['build_id', 'variant'])
    .where('agent_id', '=', agent)
    .execute();
  for (const { build_id, variant } of known)
    if (!there.has(`${build_id}.${variant}`)) await removeAreaSize(db, agent, build_id, variant);
}

/** Of all agents, in no order. */
export async function heldAreas(db: Db): Promise<readonly HeldAreaRow[]> {
  const held = await db
    .selectFrom('checkpoints')
    .select(({ fn }) => [
      'agent_id',
      'build_id',
      'variant',
      fn.countAll<number>().as('count'),
      fn.min('taken_at').as('first_at'),
      fn.max('taken_at').as('newest_at'),
    ])
    .groupBy(['agent_id', 'build_id', 'variant'])
    .execute();
  const areas = new Map<string, HeldAreaRow>();
  for (const { agent_id: agentId, build_id: buildId, variant, count, ...times } of held)
    areas.set(keyOf(agentId, buildId, variant), {
      ...{ agentId, buildId, variant },
      checkpoints: count,
      firstAt: times.first_at,
      newestAt: times.newest_at,
      usedBytes: null,
    });
  for (const row of await db.selectFrom('area_sizes').selectAll().execute()) {
    const { agent_id: agentId, build_id: buildId, variant, used_bytes: usedBytes, measured_at } = row;
    const key = keyOf(agentId, buildId, variant);
    const none = { agentId, buildId, variant, checkpoints: 0, firstAt: measured_at, newestAt: measured_at };
    areas.set(key, { ...(areas.get(key) ?? none), usedBytes });
  }
  return [...areas.values()];
}

function keyOf(agent: AgentId, build: BuildId, variant: string): string {
  return `${agent} ${build}.${variant}`;
}

export interface BuildOfAreas {
  readonly id: BuildId;
  /** Distribution name of the manifest. */
  readonly name: string;
  readonly state: BuildState;
  readonly endedAt: number | null;
  /** Builds whose results or states its jobs took over. */
  readonly tookFrom: readonly BuildId[];
}

/** All builds that are not collected. */
export async function buildsOfAreas(db: Db): Promise<readonly BuildOfAreas[]> {
  const [rows, steps, ends] = await Promise.all([
    db
      .selectFrom('builds')
      .select(['id', 'name', 'state', 'ended_at'])
      .where('collected_at', 'is', null)
      .execute(),
    db
      .selectFrom('steps')
      .innerJoin('jobs', 'jobs.id', 'steps.job_id')
      .select(['jobs.build_id', 'steps.reused_from'])
      .distinct()
      .where('steps.reused_from', 'is not', null)
      .execute(),
    db
      .selectFrom('jobs')
      .select(['build_id', 'end_origin'])
      .distinct()
      .where('end_origin', 'is not', null)
      .execute(),
  ]);
  const taken = groupBy(
    [
      ...steps.map(({ build_id, reused_from }) => ({ build: build_id, from: reused_from })),
      ...ends.map(({ build_id, end_origin }) => ({
        build: build_id,
        from: end_origin === null ? null : fromJson<JobsTable['end_origin']>(end_origin).build,
      })),
    ],
    ({ build }) => build,
  );
  return rows.map(({ id, name, state, ended_at }) => {
    const from = (taken.get(id) ?? []).flatMap((each) => each.from ?? []);
    return { id, name, state, endedAt: ended_at, tookFrom: [...new Set(from)] };
  });
}
