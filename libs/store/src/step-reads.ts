import type { BuildId } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { fromJson, toJson } from './json.js';
import type { StepReadsTable } from './schema.js';

/** Scripts that are remembered of one step's name: who mends one twenty times a day still sees yesterday's. */
const SCRIPTS_KEPT = 50;

export interface StepReads {
  readonly step: string;
  readonly script: string;
  readonly nodepaths: readonly string[];
  readonly build: BuildId;
  readonly at: number;
}

/** In place of what an earlier run of the same script asked for. Forgets the oldest scripts of the step's name. */
export async function keepStepReads(
  tx: Db,
  { step, script, nodepaths, build, at }: StepReads,
): Promise<void> {
  const row = { nodepaths: toJson<StepReadsTable['nodepaths']>(nodepaths), build_id: build, at };
  await tx
    .insertInto('step_reads')
    .values({ step, script, ...row })
    .onConflict((conflict) => conflict.columns(['step', 'script']).doUpdateSet(row))
    .execute();
  const oldest = await tx
    .selectFrom('step_reads')
    .select('at')
    .where('step', '=', step)
    .orderBy('at', 'desc')
    .offset(SCRIPTS_KEPT - 1)
    .limit(1)
    .executeTakeFirst();
  if (oldest === undefined) return;
  await tx.deleteFrom('step_reads').where('step', '=', step).where('at', '<', oldest.at).execute();
}

/** `null`: no run of the script is remembered. */
export async function stepReads(db: Db, step: string, script: string): Promise<StepReads | null> {
  const row = await db
    .selectFrom('step_reads')
    .selectAll()
    .where('step', '=', step)
    .where('script', '=', script)
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    step,
    script,
    nodepaths: fromJson<StepReadsTable['nodepaths']>(row.nodepaths),
    build: row.build_id,
    at: row.at,
  };
}
