import type { Selectable } from 'kysely';
import type { AgentId, AskId, BuildId, JobId, VariantId } from '#libs/contracts';
import { inChunks } from './builds.js';
import type { Db } from './farm-database.js';
import { fromJson, rememberingJson, toJson } from './json.js';
import type { BoundaryKeyRow } from './jobs.js';
import type { FingerprintAsksTable, FingerprintRequestRecord, Flag } from './schema.js';
import { keepStatesOfJobs } from './states.js';

export interface FingerprintAskRow extends Omit<Selectable<FingerprintAsksTable>, 'request'> {
  readonly request: FingerprintRequestRecord;
}

/**
 * The ask of this digest that is to be answered yet, or was answered well since then; a new one where there is none. What failed is asked again.
 *
 * @param id of a new one
 */
export async function askOnce(
  tx: Db,
  ask: { readonly id: AskId; readonly digest: string; readonly request: FingerprintRequestRecord },
  since: number,
  now: number,
): Promise<AskId> {
  const known = await tx
    .selectFrom('fingerprint_asks')
    .select('id')
    .where('digest', '=', ask.digest)
    .where((where) =>
      where.or([
        where('answered_at', 'is', null),
        where.and([where('output', 'is not', null), where('asked_at', '>', since)]),
      ]),
    )
    .orderBy('asked_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (known !== undefined) return known.id;
  await tx
    .insertInto('fingerprint_asks')
    .values({
      ...ask,
      request: toJson<FingerprintAsksTable['request']>(ask.request),
      asked_at: now,
      agent_id: null,
      taken_at: null,
      unable: null,
      answered_at: null,
      output: null,
      failure: null,
    })
    .execute();
  return ask.id;
}

export interface StepFingerprintRow {
  readonly variant_id: VariantId;
  readonly index: number;
  readonly step: string;
  readonly ask_id: AskId;
}

export async function insertStepFingerprints(tx: Db, rows: readonly StepFingerprintRow[]): Promise<void> {
  await inChunks(rows, 200, async (some) => {
    await tx.insertInto('step_fingerprints').values(some).execute();
  });
}

/** The step's fingerprint is what another ask says. */
export async function replaceAsk(
  tx: Db,
  { variant_id, index }: Pick<StepFingerprintRow, 'variant_id' | 'index'>,
  ask: AskId,
): Promise<void> {
  await tx
    .updateTable('step_fingerprints')
    .set({ ask_id: ask })
    .where('variant_id', '=', variant_id)
    .where('index', '=', index)
    .execute();
}

/** Those that nobody has answered yet, the oldest first. */
export async function openAsks(db: Db, holder?: AgentId): Promise<readonly FingerprintAskRow[]> {
  let select = db.selectFrom('fingerprint_asks').selectAll().where('answered_at', 'is', null);
  if (holder !== undefined) select = select.where('agent_id', '=', holder);
  const rows = await select.orderBy('asked_at').orderBy('id').limit(1000).execute();
  return rows.map(parseAsk);
}

export async function findAsk(db: Db, id: AskId): Promise<FingerprintAskRow | null> {
  const row = await db.selectFrom('fingerprint_asks').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : parseAsk(row);
}

/** False: it was answered meanwhile, or somebody else took it. */
export async function takeAsk(
  db: Db,
  { id, taken_at }: Pick<FingerprintAskRow, 'id' | 'taken_at'>,
  agent: AgentId,
  now: number,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('fingerprint_asks')
    .set({ agent_id: agent, taken_at: now, unable: null })
    .where('id', '=', id)
    .where('answered_at', 'is', null)
    .where('taken_at', taken_at === null ? 'is' : '=', taken_at)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** False: it is not this agent's, or answered. */
export async function answerAsk(
  db: Db,
  id: AskId,
  agent: AgentId,
  answer: { readonly output: string } | { readonly failure: string } | { readonly unable: string },
  now: number,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('fingerprint_asks')
    .set('unable' in answer ? answer : { ...answer, answered_at: now })
    .where('id', '=', id)
    .where('agent_id', '=', agent)
    .where('answered_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** What an earlier process of the agent had taken. */
export async function releaseAsks(db: Db, agent: AgentId): Promise<void> {
  await db
    .updateTable('fingerprint_asks')
    .set({ agent_id: null, taken_at: null, unable: null })
    .where('agent_id', '=', agent)
    .where('answered_at', 'is', null)
    .execute();
}

/** Of steps that nobody has submitted, as a plan asks for them. */
export async function forgetAsks(db: Db, before: number): Promise<void> {
  await db
    .deleteFrom('fingerprint_asks')
    .where('asked_at', '<', before)
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('step_fingerprints')
            .select('step')
            .whereRef('step_fingerprints.ask_id', '=', 'fingerprint_asks.id'),
        ),
      ),
    )
    .execute();
}

/** A step's fingerprint with the ask that says what it is. */
export interface FingerprintOfStep {
  readonly build: BuildId;
  readonly variantId: VariantId;
  readonly variant: string;
  readonly isOptional: boolean;
  readonly index: number;
  readonly step: string;
  readonly ask: FingerprintAskRow;
}

/** In the order of variants, then of the plan; of all variants, or of those whose keys are not known yet. */
export async function fingerprintsOf(
  db: Db,
  builds: readonly BuildId[],
  only: { readonly keysWait?: true } = {},
): Promise<readonly FingerprintOfStep[]> {
  if (builds.length === 0) return [];
  let select = db
    .selectFrom('step_fingerprints')
    .innerJoin('variants', 'variants.id', 'step_fingerprints.variant_id')
    .innerJoin('fingerprint_asks', 'fingerprint_asks.id', 'step_fingerprints.ask_id')
    .selectAll('fingerprint_asks')
    .select([
      'variants.build_id',
      'variants.id as variant_id',
      'variants.name as variant',
      'variants.optional',
      'step_fingerprints.index',
      'step_fingerprints.step',
    ])
    .where('variants.build_id', 'in', [...builds]);
  if (only.keysWait === true) select = select.where('variants.keys_wait', '=', 1);
  const rows = await select.orderBy('variants.name').orderBy('step_fingerprints.index').execute();
  // A thousand variants may share one ask.
  const requestOf = rememberingJson<FingerprintAsksTable['request']>();
  return rows.map(({ build_id, variant_id, variant, optional, index, step, ...ask }) => ({
    ...{ build: build_id, variantId: variant_id, variant, index, step },
    isOptional: optional === 1,
    ask: { ...ask, request: requestOf(ask.request) },
  }));
}

/** What the commands of a variant's steps wrote when they were asked for, by index of the step. */
export async function outputsOfFingerprints(
  db: Db,
  variant: VariantId,
): Promise<ReadonlyMap<number, string>> {
  const rows = await db
    .selectFrom('step_fingerprints')
    .innerJoin('fingerprint_asks', 'fingerprint_asks.id', 'step_fingerprints.ask_id')
    .select(['step_fingerprints.index', 'fingerprint_asks.output'])
    .where('step_fingerprints.variant_id', '=', variant)
    .execute();
  return new Map(rows.flatMap(({ index, output }) => (output === null ? [] : [[index, output] as const])));
}

export async function buildsWaitingForKeys(db: Db): Promise<readonly BuildId[]> {
  const rows = await db
    .selectFrom('variants')
    .select('build_id')
    .distinct()
    .where('keys_wait', '=', 1)
    .orderBy('build_id')
    .execute();
  return rows.map(({ build_id }) => build_id);
}

export async function setKeysWait(tx: Db, variants: readonly VariantId[], wait: Flag): Promise<void> {
  await inChunks(variants, 500, async (some) => {
    await tx.updateTable('variants').set({ keys_wait: wait }).where('id', 'in', some).execute();
  });
}

/** All step keys of jobs, in place of what was known of them. */
export async function writeKeys(
  tx: Db,
  ends: ReadonlyMap<JobId, string | null>,
  boundaries: readonly BoundaryKeyRow[],
): Promise<void> {
  await inChunks([...ends.keys()], 500, async (some) => {
    await tx.deleteFrom('boundary_keys').where('job_id', 'in', some).execute();
  });
  await inChunks(boundaries, 500, async (some) => {
    await tx.insertInto('boundary_keys').values(some).execute();
  });
  for (const [id, key] of ends)
    await tx.updateTable('jobs').set({ end_key: key }).where('id', '=', id).execute();
  await keepStatesOfJobs(tx, [...ends.keys()], boundaries);
}

/** Its states from this boundary on are equal to nothing that anybody knows, and so is its end. */
export async function dropKeys(tx: Db, job: JobId, fromPosition: number): Promise<void> {
  await tx
    .deleteFrom('boundary_keys')
    .where('job_id', '=', job)
    .where('position', '>=', fromPosition)
    .execute();
  await tx.updateTable('jobs').set({ end_key: null }).where('id', '=', job).execute();
}

function parseAsk(row: Selectable<FingerprintAsksTable>): FingerprintAskRow {
  return { ...row, request: fromJson<FingerprintAsksTable['request']>(row.request) };
}
