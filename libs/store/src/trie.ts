import { sql, type Expression, type ExpressionBuilder, type SqlBool } from 'kysely';
import type { AgentId, BuildId } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { groupBy } from './group-by.js';
import type { Flag, Schema } from './schema.js';

/**
 * What agents hold as a trie: its nodes are states by step key, each below the one that it comes from. A state that nobody holds is not in it, and what comes from such a one is at the top. All
 * questions are of one level, or of a few keys, so that they stay cheap whatever is held.
 */
export interface TrieFilter {
  readonly agent?: AgentId | undefined;
  /** What these hold counts for nothing: they were revoked. */
  readonly without: readonly AgentId[];
  /** It is a state of this build, whoever made it. */
  readonly build?: BuildId | undefined;
  /** The same for any build of this distribution. */
  readonly distribution?: string | undefined;
}

export interface TriePlace {
  readonly newestAt: number;
  readonly id: string;
}

/** Of a level: from behind that place on, where one is given. */
export interface TriePage {
  readonly after: TriePlace | null;
  readonly limit: number;
}

export interface TrieState {
  readonly key: string;
  readonly parent: string | null;
  readonly step: string | null;
  /** When the newest checkpoint of it was taken. */
  readonly newestAt: number;
}

type Key = Expression<string | null>;
type InQuery = ExpressionBuilder<Schema, never>;

/** The newest first. `parent` `null`: those whose parents nobody holds. */
export async function heldStates(
  db: Db,
  parent: string | null,
  filter: TrieFilter,
  { after, limit }: TriePage,
): Promise<readonly TrieState[]> {
  const level = parent === null ? topStates(db, filter) : statesFrom(db, parent, filter);
  let select = db.selectFrom(level.as('found')).selectAll();
  if (after !== null)
    select = select.where((eb) =>
      eb.or([
        eb('newest_at', '<', after.newestAt),
        eb.and([eb('newest_at', '=', after.newestAt), eb('key', '>', after.id)]),
      ]),
    );
  const rows = await select.orderBy('newest_at', 'desc').orderBy('key').limit(limit).execute();
  return rows.map(({ newest_at: newestAt, ...row }) => ({ ...row, newestAt: newestAt ?? 0 }));
}

/** The state of that key, if somebody holds it. */
export async function heldState(db: Db, key: string, filter: TrieFilter): Promise<TrieState | null> {
  const row = await checkpointsOf(db, filter)
    .leftJoin('states', 'states.key', 'c.key')
    .select(({ fn }) => ['states.parent', 'states.step', fn.max('c.taken_at').as('newestAt')])
    .where('c.key', '=', key)
    .groupBy(['states.parent', 'states.step'])
    .executeTakeFirst();
  return row === undefined ? null : { key, ...row };
}

function statesFrom(db: Db, parent: string, filter: TrieFilter) {
  return db
    .selectFrom('states')
    .select((eb) => ['key', 'parent', 'step', newestOf(inQuery(eb), eb.ref('states.key'), filter)])
    .where('parent', '=', parent)
    .where((eb) => isHeld(inQuery(eb), eb.ref('states.key'), filter));
}

/** Only the first of what an agent holds one behind the other can come from a state that nobody holds: few are looked at. */
function topStates(db: Db, filter: TrieFilter) {
  const first = checkpointsOf(db, filter)
    .select('c.key')
    .distinct()
    .where('c.begins', '=', 1)
    .where('c.key', 'is not', null);
  return db
    .selectFrom(first.as('first'))
    .leftJoin('states', 'states.key', 'first.key')
    .select((eb) => [
      eb.ref('first.key').$castTo<string>().as('key'),
      'states.parent',
      'states.step',
      newestOf(inQuery(eb), eb.ref('first.key'), filter),
    ])
    .where((eb) =>
      eb.or([eb('states.parent', 'is', null), eb.not(isHeld(inQuery(eb), eb.ref('states.parent'), filter))]),
    )
    .where((eb) => isOf(inQuery(eb), eb.ref('first.key'), filter));
}

/** Whatever the query around it is of: what stands in these refers to nothing of it but keys. */
function inQuery(eb: unknown): InQuery {
  return eb as InQuery;
}

function checkpointsOf(db: Pick<Db, 'selectFrom'> | InQuery, { agent, without }: TrieFilter) {
  let select = (db as Db).selectFrom('checkpoints as c');
  if (agent !== undefined) select = select.where('c.agent_id', '=', agent);
  if (without.length > 0) select = select.where('c.agent_id', 'not in', [...without]);
  return select;
}

function newestOf(eb: InQuery, key: Key, filter: TrieFilter) {
  return checkpointsOf(eb, filter)
    .select(({ fn }) => fn.max('c.taken_at').as('newest_at'))
    .where('c.key', '=', key)
    .as('newest_at');
}

function isHeld(eb: InQuery, key: Key, filter: TrieFilter): Expression<SqlBool> {
  const held = checkpointsOf(eb, filter)
    .select(sql`1`.as('one'))
    .where('c.key', '=', key);
  return eb.and([eb.exists(held), isOf(eb, key, filter)]);
}

function isOf(eb: InQuery, key: Key, { build, distribution }: TrieFilter): Expression<SqlBool> {
  if (build === undefined && distribution === undefined) return sql<SqlBool>`1 = 1`;
  let of = eb
    .selectFrom('boundary_keys as k')
    .innerJoin('jobs as j', 'j.id', 'k.job_id')
    .innerJoin('builds as b', 'b.id', 'j.build_id')
    .select(sql`1`.as('one'))
    .where('k.key', '=', key as Expression<string>);
  if (build !== undefined) of = of.where('b.id', '=', build);
  if (distribution !== undefined) of = of.where('b.name', '=', distribution);
  return eb.exists(of);
}

/** How many held states come from each of these, without those from which none does. */
export async function countStatesFrom(
  db: Db,
  keys: readonly string[],
  filter: TrieFilter,
): Promise<ReadonlyMap<string, number>> {
  if (keys.length === 0) return new Map();
  const rows = await db
    .selectFrom('states')
    .select((eb) => ['parent', eb.fn.countAll<number>().as('count')])
    .where('parent', 'in', [...keys])
    .where((eb) => isHeld(inQuery(eb), eb.ref('states.key'), filter))
    .groupBy('parent')
    .execute();
  return new Map(rows.flatMap(({ parent, count }) => (parent === null ? [] : [[parent, count] as const])));
}

/** How many held states come from it, directly or not; counting ends at `most`. */
export async function countStatesBelow(
  db: Db,
  key: string,
  filter: TrieFilter,
  most: number,
): Promise<number> {
  const below = db.withRecursive('below', (tree) =>
    tree
      .selectFrom('states')
      .select('states.key')
      .where('states.parent', '=', key)
      .where((eb) => isHeld(inQuery(eb), eb.ref('states.key'), filter))
      .unionAll(
        tree
          .selectFrom('below')
          .innerJoin('states', 'states.parent', 'below.key')
          .select('states.key')
          .where((eb) => isHeld(inQuery(eb), eb.ref('states.key'), filter)),
      ),
  );
  // The recursion ends when nobody wants more of it.
  const some = below.selectFrom('below').select('key').limit(most);
  return (await some.execute()).length;
}

/** Keys of the held states that it comes from, the first one first. */
export async function heldAncestors(db: Db, key: string, filter: TrieFilter): Promise<readonly string[]> {
  const path: string[] = [];
  for (let at = key; path.length < MOST_ANCESTORS;) {
    const row = await db
      .selectFrom('states')
      .select('parent')
      .where('key', '=', at)
      .where('parent', 'is not', null)
      .where((eb) => isHeld(inQuery(eb), eb.ref('states.parent'), filter))
      .executeTakeFirst();
    if (row?.parent == null) break;
    path.unshift((at = row.parent));
  }
  return path;
}

/** A plan has fewer boundaries: what has more is no chain. */
const MOST_ANCESTORS = 1000;

/** An agent that holds a state, in areas of a build. */
export interface StateHolders {
  readonly key: string;
  readonly agentId: AgentId;
  readonly buildId: BuildId;
  /** Of one of the checkpoints there. */
  readonly id: string;
  readonly workspace: string;
  readonly label: string;
}

/** By state, agent and build, in no order. */
export async function holdingsOfStates(
  db: Db,
  keys: readonly string[],
  filter: TrieFilter,
): Promise<readonly StateHolders[]> {
  if (keys.length === 0) return [];
  const rows = await checkpointsOf(db, filter)
    .select(({ fn }) => [
      'c.key',
      'c.agent_id as agentId',
      'c.build_id as buildId',
      fn.min('c.id').as('id'),
      fn.min('c.workspace').as('workspace'),
      fn.min('c.label').as('label'),
    ])
    .where('c.key', 'in', [...keys])
    .groupBy(['c.key', 'c.agent_id', 'c.build_id'])
    .execute();
  return rows.flatMap(({ key, ...row }) => (key === null ? [] : [{ ...row, key }]));
}

/** Those of the states of which somebody keeps a checkpoint. */
export async function pinnedStates(db: Db, keys: readonly string[]): Promise<ReadonlySet<string>> {
  if (keys.length === 0) return new Set();
  const rows = await db
    .selectFrom('checkpoint_pins as pins')
    .innerJoin('checkpoints', 'checkpoints.build_id', 'pins.build_id')
    .select('checkpoints.key')
    .distinct()
    .where((eb) =>
      eb.or([eb('pins.variant', '=', ''), eb('pins.variant', '=', eb.ref('checkpoints.variant'))]),
    )
    .where('checkpoints.key', 'in', [...keys])
    .execute();
  return new Set(rows.flatMap(({ key }) => key ?? []));
}

/** What the areas take together that hold each of the states, with all else that is in them. Areas that were not measured count nothing; a state in none that was is missing. */
export async function areaBytesOfStates(
  db: Db,
  keys: readonly string[],
  filter: TrieFilter,
): Promise<ReadonlyMap<string, number>> {
  if (keys.length === 0) return new Map();
  const areas = checkpointsOf(db, filter)
    .select(['c.key', 'c.agent_id', 'c.build_id', 'c.variant'])
    .distinct()
    .where('c.key', 'in', [...keys]);
  const rows = await db
    .selectFrom(areas.as('held'))
    .innerJoin('area_sizes as size', (join) =>
      join
        .onRef('size.agent_id', '=', 'held.agent_id')
        .onRef('size.build_id', '=', 'held.build_id')
        .onRef('size.variant', '=', 'held.variant'),
    )
    .select(({ fn }) => ['held.key', fn.sum<number | string>('size.used_bytes').as('bytes')])
    .groupBy('held.key')
    .execute();
  return new Map(rows.flatMap(({ key, bytes }) => (key === null ? [] : [[key, Number(bytes)] as const])));
}

/** How many of a distribution have the state among theirs, whether or not they made it. */
export interface StateShare {
  readonly key: string;
  readonly distribution: string;
  readonly builds: number;
  readonly variants: number;
}

/** Of builds that are not collected. */
export async function sharesOfStates(db: Db, keys: readonly string[]): Promise<readonly StateShare[]> {
  if (keys.length === 0) return [];
  const rows = await db
    .selectFrom('boundary_keys')
    .innerJoin('jobs', 'jobs.id', 'boundary_keys.job_id')
    .innerJoin('builds', 'builds.id', 'jobs.build_id')
    .select(({ fn }) => [
      'boundary_keys.key',
      'builds.name as distribution',
      fn.count<number>('builds.id').distinct().as('builds'),
      fn.count<number>('jobs.variant_id').distinct().as('variants'),
    ])
    .where('boundary_keys.key', 'in', [...keys])
    .where('builds.collected_at', 'is', null)
    .groupBy(['boundary_keys.key', 'builds.name'])
    .orderBy('builds.name')
    .execute();
  return rows;
}

export interface SharingVariant {
  readonly build: BuildId;
  readonly distribution: string;
  readonly variant: string;
}

/** Variants that have the state among theirs, of builds that are not collected; the newest build's first. */
export async function variantsOfState(
  db: Db,
  key: string,
  limit: number,
): Promise<readonly SharingVariant[]> {
  return await db
    .selectFrom('boundary_keys')
    .innerJoin('jobs', 'jobs.id', 'boundary_keys.job_id')
    .innerJoin('variants', 'variants.id', 'jobs.variant_id')
    .innerJoin('builds', 'builds.id', 'jobs.build_id')
    .select([
      'builds.id as build',
      'builds.name as distribution',
      'variants.name as variant',
      'builds.created_at',
    ])
    .distinct()
    .where('boundary_keys.key', '=', key)
    .where('builds.collected_at', 'is', null)
    .orderBy('builds.created_at', 'desc')
    .orderBy('builds.id')
    .orderBy('variants.name')
    .limit(limit)
    .execute();
}

/** A checkpoint of a state, where it is. */
export interface HeldCheckpointRow {
  readonly agentId: AgentId;
  readonly id: string;
  readonly buildId: BuildId;
  readonly variant: string;
  readonly workspace: string;
  readonly label: string;
  readonly takenAt: number;
  /** Of the build; `null`: the record knows nothing of it any more. */
  readonly distribution: string | null;
  readonly user: string | null;
  readonly trusted: Flag | null;
}

/** The newest first; with how many there are in all. */
export async function checkpointsOfState(
  db: Db,
  key: string,
  filter: TrieFilter,
  limit: number,
): Promise<{ readonly rows: readonly HeldCheckpointRow[]; readonly count: number }> {
  const all = checkpointsOf(db, filter).where('c.key', '=', key);
  const rows = await all
    .leftJoin('builds', 'builds.id', 'c.build_id')
    .select(HELD_CHECKPOINT)
    .orderBy('c.taken_at', 'desc')
    .orderBy('c.agent_id')
    .orderBy('c.id')
    .limit(limit)
    .execute();
  const { count } = await all.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  return { rows, count };
}

const HELD_CHECKPOINT = [
  'c.agent_id as agentId',
  'c.id',
  'c.build_id as buildId',
  'c.variant',
  'c.workspace',
  'c.label',
  'c.taken_at as takenAt',
  'builds.name as distribution',
  'builds.user',
  'builds.trusted',
] as const;

export interface BuildWithoutKeys {
  readonly build: BuildId;
  /** Empty: the record knows nothing of it any more. */
  readonly distribution: string;
  readonly checkpoints: number;
  readonly variants: number;
  readonly newestAt: number;
  /** Who holds them. */
  readonly agents: readonly AgentId[];
}

/** Builds of which agents hold states that are known to equal no other, the newest first. */
export async function buildsWithoutKeys(
  db: Db,
  filter: TrieFilter,
  { after, limit }: TriePage,
): Promise<readonly BuildWithoutKeys[]> {
  const { build, distribution } = filter;
  let select = checkpointsOf(db, filter)
    .leftJoin('builds', 'builds.id', 'c.build_id')
    .select(({ fn }) => [
      'c.build_id as build',
      'builds.name as distribution',
      fn.count<number>('c.id').distinct().as('checkpoints'),
      fn.count<number>('c.variant').distinct().as('variants'),
      fn.max('c.taken_at').as('newestAt'),
    ])
    .where('c.key', 'is', null);
  if (build !== undefined) select = select.where('c.build_id', '=', build);
  if (distribution !== undefined) select = select.where('builds.name', '=', distribution);
  let page = db.selectFrom(select.groupBy(['c.build_id', 'builds.name']).as('found')).selectAll();
  if (after !== null)
    page = page.where((eb) =>
      eb.or([
        eb('newestAt', '<', after.newestAt),
        eb.and([eb('newestAt', '=', after.newestAt), eb('build', '>', after.id as BuildId)]),
      ]),
    );
  const rows = await page.orderBy('newestAt', 'desc').orderBy('build').limit(limit).execute();
  const agents = groupBy(
    await agentsWithoutKeys(
      db,
      rows.map((row) => row.build),
      filter,
    ),
    (row) => row.build,
  );
  return rows.map((row) => ({
    ...row,
    distribution: row.distribution ?? '',
    agents: (agents.get(row.build) ?? []).map(({ agent }) => agent),
  }));
}

async function agentsWithoutKeys(
  db: Db,
  builds: readonly BuildId[],
  filter: TrieFilter,
): Promise<readonly { readonly build: BuildId; readonly agent: AgentId }[]> {
  if (builds.length === 0) return [];
  return await checkpointsOf(db, filter)
    .select(['c.build_id as build', 'c.agent_id as agent'])
    .distinct()
    .where('c.key', 'is', null)
    .where('c.build_id', 'in', [...builds])
    .execute();
}

/** Checkpoints of a build without a key, the newest first: all there are of one id come together, once for each agent that holds it. */
export async function checkpointsWithoutKeys(
  db: Db,
  build: BuildId,
  filter: TrieFilter,
  { after, limit }: TriePage,
): Promise<readonly HeldCheckpointRow[]> {
  const all = checkpointsOf(db, filter).where('c.key', 'is', null).where('c.build_id', '=', build);
  const byId = all.select(({ fn }) => ['c.id', fn.max('c.taken_at').as('newest_at')]).groupBy('c.id');
  let page = db.selectFrom(byId.as('found')).select('id');
  if (after !== null)
    page = page.where((eb) =>
      eb.or([
        eb('newest_at', '<', after.newestAt),
        eb.and([eb('newest_at', '=', after.newestAt), eb('id', '>', after.id)]),
      ]),
    );
  const ids = (await page.orderBy('newest_at', 'desc').orderBy('id').limit(limit).execute()).map(
    ({ id }) => id,
  );
  const rows = await checkpointsOfBuild(db, build, ids, filter);
  const place = new Map(ids.map((id, at) => [id, at]));
  return rows.toSorted((a, b) => (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0));
}

/** Of these ids, without a key; once for each agent that holds it. */
export async function checkpointsOfBuild(
  db: Db,
  build: BuildId,
  ids: readonly string[],
  filter: TrieFilter,
): Promise<readonly HeldCheckpointRow[]> {
  if (ids.length === 0) return [];
  return await checkpointsOf(db, filter)
    .leftJoin('builds', 'builds.id', 'c.build_id')
    .select(HELD_CHECKPOINT)
    .where('c.key', 'is', null)
    .where('c.build_id', '=', build)
    .where('c.id', 'in', [...ids])
    .orderBy('c.agent_id')
    .execute();
}
