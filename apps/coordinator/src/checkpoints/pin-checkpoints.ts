import { Injectable } from '@nestjs/common';
import { FarmError, type BuildId, type CheckpointPinList } from '#libs/contracts';
import {
  appendAudit,
  listCheckpointPins,
  lockBuild,
  pinCheckpoints,
  unpinCheckpoints,
  variantsOf,
  type Db,
} from '#libs/store';
import type { Caller } from '../access/caller.js';
import { Store } from '../store.js';
import { Work } from '../work.js';

interface Pinning {
  /** `null`: all of the build. */
  readonly variant: string | null;
  readonly why: string;
}

/** What people keep of checkpoints; each change is on the audit. */
@Injectable()
export class PinCheckpoints {
  constructor(
    private readonly work: Work,
    private readonly store: Store,
  ) {}

  /** Of the build, or all there are. */
  async list(build?: BuildId): Promise<CheckpointPinList> {
    const pins = await listCheckpointPins(this.store.db);
    return { pins: pins.filter((pin) => build === undefined || pin.build === build) };
  }

  /** From now on no policy removes them; what agents have been told to drop before may go all the same. Throws NOT_FOUND and CONFLICT. */
  async pin(build: BuildId, { variant, why }: Pinning, caller: Caller): Promise<CheckpointPinList> {
    await this.#change(build, { variant, why }, 'checkpoints.pin', caller, async (tx, now) => {
      await pinCheckpoints(tx, { build, variant, user: caller.user, why, pinnedAt: now });
    });
    return await this.list(build);
  }

  /** Throws NOT_FOUND when there is no such pin. */
  async unpin(build: BuildId, { variant, why }: Pinning, caller: Caller): Promise<CheckpointPinList> {
    await this.#change(build, { variant, why }, 'checkpoints.unpin', caller, async (tx) => {
      if (await unpinCheckpoints(tx, build, variant)) return;
      throw new FarmError(
        'NOT_FOUND',
        `${variant === null ? `build ${build}` : `variant "${variant}" of build ${build}`} is not pinned by itself`,
        'distrofarm checkpoints pins shows what is.',
      );
    });
    return await this.list(build);
  }

  async #change(
    build: BuildId,
    { variant, why }: Pinning,
    action: string,
    caller: Caller,
    change: (tx: Db, now: number) => Promise<void>,
  ): Promise<void> {
    await this.work.change(async (tx, changes, now) => {
      const row = await lockBuild(tx, build);
      if (row === null) throw new FarmError('NOT_FOUND', `there is no build ${build}`);
      if (row.collected_at !== null && action === 'checkpoints.pin')
        throw new FarmError(
          'CONFLICT',
          `build ${build} was collected: its checkpoints are gone`,
          'Submit it again.',
        );
      const names = (await variantsOf(tx, build)).map(({ name }) => name);
      if (variant !== null && !names.includes(variant)) {
        throw new FarmError(
          'NOT_FOUND',
          `build ${build} has no variant "${variant}"`,
          `Its variants: ${names.join(', ')}.`,
        );
      }
      await change(tx, now);
      const { user, token: tokenId } = caller;
      const type = action === 'checkpoints.pin' ? 'checkpoints-pinned' : 'checkpoints-unpinned';
      changes.event(type, { build }, { variant, user, why });
      await appendAudit(tx, now, { user, tokenId, action, target: build, why, data: { variant } });
    });
  }
}
