import type { BuildId } from '#libs/contracts';
import type { Db } from './farm-database.js';

/** Checkpoints that a person keeps: no policy removes them. */
export interface CheckpointPin {
  readonly build: BuildId;
  /** `null`: all variants of the build. */
  readonly variant: string | null;
  readonly user: string;
  readonly why: string;
  readonly pinnedAt: number;
}

/** No variant has this name. */
const ALL = '';

/** Whoever pinned it last is who keeps it. */
export async function pinCheckpoints(db: Db, pin: CheckpointPin): Promise<void> {
  const { build, variant, user, why, pinnedAt } = pin;
  const kept = { user, why, pinned_at: pinnedAt };
  await db
    .insertInto('checkpoint_pins')
    .values({ build_id: build, variant: variant ?? ALL, ...kept })
    .onConflict((conflict) => conflict.columns(['build_id', 'variant']).doUpdateSet(kept))
    .execute();
}

/** `null` takes the pin off the build, not off variants that are pinned by themselves. False: there was none. */
export async function unpinCheckpoints(db: Db, build: BuildId, variant: string | null): Promise<boolean> {
  const row = await db
    .deleteFrom('checkpoint_pins')
    .where('build_id', '=', build)
    .where('variant', '=', variant ?? ALL)
    .returning('build_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Oldest first. */
export async function listCheckpointPins(db: Db): Promise<readonly CheckpointPin[]> {
  const rows = await db
    .selectFrom('checkpoint_pins')
    .selectAll()
    .orderBy('pinned_at')
    .orderBy('build_id')
    .orderBy('variant')
    .execute();
  return rows.map(({ build_id, variant, user, why, pinned_at }) => ({
    build: build_id,
    variant: variant === ALL ? null : variant,
    user,
    why,
    pinnedAt: pinned_at,
  }));
}
