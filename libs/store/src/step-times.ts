import type { AttemptId } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { groupBy } from './group-by.js';

export async function keepStepTime(
  tx: Db,
  time: { attempt: AttemptId; distribution: string; step: string; ms: number; at: number },
): Promise<void> {
  await tx
    .insertInto('step_times')
    .values({
      attempt_id: time.attempt,
      distribution: time.distribution,
      step: time.step,
      ms: time.ms,
      at: time.at,
    })
    .onConflict((conflict) => conflict.columns(['attempt_id', 'step']).doNothing())
    .execute();
}

/** Newest times that a step of that distribution took; what is usual comes from them. */
const TIMES_LOOKED_AT = 500;

/** Median of past runs by step name, of one distribution. */
export async function usualStepTimes(db: Db, distribution: string): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .selectFrom('step_times')
    .select(['step', 'ms'])
    .where('distribution', '=', distribution)
    .orderBy('at', 'desc')
    .limit(TIMES_LOOKED_AT)
    .execute();
  const byStep = groupBy(rows, ({ step }) => step);
  return new Map(
    [...byStep].map(([step, times]) => {
      const sorted = times.map(({ ms }) => ms).toSorted((a, b) => a - b);
      return [step, sorted[Math.floor(sorted.length / 2)] ?? 0];
    }),
  );
}
