import { Injectable } from '@nestjs/common';
import { BlobStore } from '#libs/artifacts';
import type { BuildId, JobId, VariantId } from '#libs/contracts';
import { planKeys } from '#libs/plan';
import {
  buildsWaitingForKeys,
  findBuild,
  fingerprintsOf,
  groupBy,
  holdsDuty,
  jobsOfBuild,
  listAgents,
  lockBuild,
  setKeysWait,
  updateJob,
  variantsOf,
  writeKeys,
  type BoundaryKeyRow,
  type BuildRow,
  type FingerprintOfStep,
  type Schema,
} from '#libs/store';
import type { Kysely, Transaction } from 'kysely';
import { join } from 'node:path';
import { planEarlier } from '../builds/earlier-plan.js';
import { keyWorldOf, withFingerprints } from '../builds/key-world.js';
import { boundaryPositions } from '../builds/plan-rows.js';
import { settleBuild } from '../builds/settle-build.js';
import { CoordinatorConfig } from '../config.js';
import { judgeFingerprints, type AskedVariant, type FingerprintVerdict } from '../decide/judge-fingerprints.js';
import { Log } from '../log.js';
import { SCHEDULE_DUTY } from '../scheduling/duty.js';
import { Store } from '../store.js';
import { Work, type Changes } from '../work.js';
import { AskFingerprints } from './ask-fingerprints.js';

interface WaitingVariant extends AskedVariant {
  readonly id: VariantId;
  readonly name: string;
  readonly outputs: ReadonlyMap<number, string>;
}

/** By name of the variant and index of its job. */
type KeysOfJobs = ReadonlyMap<string, { readonly end: string | null; readonly boundaries: readonly Position[] }>;
type Position = Pick<BoundaryKeyRow, 'position' | 'key'>;

/** Lets builds go whose fingerprints have been answered: with their step keys, or as failed. */
@Injectable()
export class SettleKeys {
  constructor(
    private readonly store: Store,
    private readonly blobs: BlobStore,
    private readonly work: Work,
    private readonly asks: AskFingerprints,
    private readonly config: CoordinatorConfig,
    private readonly log: Log,
  ) {}

  async pass(holder: string): Promise<void> {
    for (const id of await buildsWaitingForKeys(this.store.db)) {
      try {
        await this.#settle(holder, id);
      } catch (error) {
        // Others are not to wait for what is wrong with this one.
        this.log.warn({ component: 'fingerprints', build: id, err: error }, 'step keys not settled');
      }
    }
    await this.asks.hint();
  }

  async #settle(holder: string, id: BuildId): Promise<void> {
    const build = await findBuild(this.store.db, id);
    if (build === null) throw new RangeError(`no build ${id}`);
    const seen = await this.#judge(this.store.db, id);
    if (seen.kind === 'open') return;
    const keys = seen.kind === 'settled' ? await this.#keysOf(build, seen.known) : new Map();
    await this.work.change(async (tx, changes, now) => {
      if (!(await holdsDuty(tx, SCHEDULE_DUTY, holder, now)) || (await lockBuild(tx, id)) === null) return;
      const verdict = await this.#judge(tx, id);
      // Asked again meanwhile, since somebody resumed it: another pass.
      if (verdict.kind === 'open' || verdict.kind !== seen.kind) return;
      if (verdict.kind === 'build-failed') {
        await failJobs(tx, changes, now, id, null, verdict.reason);
      } else {
        if (keys === null) changes.event('warning', { build: id }, { text: NO_PLAN });
        else await this.#write(tx, id, verdict.known, keys);
        for (const { variant, reason } of verdict.failed)
          await failJobs(tx, changes, now, id, variant, reason);
      }
      await setKeysWait(
        tx,
        (await variantsOf(tx, id)).map((variant) => variant.id),
        0,
      );
      await settleBuild(tx, changes, now, id, null);
    });
  }

  async #judge(db: Kysely<Schema>, id: BuildId): Promise<FingerprintVerdict<WaitingVariant>> {
    const rows = await fingerprintsOf(db, [id], { keysWait: true });
    return judgeFingerprints([...groupBy(rows, ({ variantId }) => variantId).values()].map(waitingVariant));
  }

  /** `null`: nobody can plan it any more, so nothing of it is known to be equal to anything. */
  async #keysOf(build: BuildRow, known: readonly WaitingVariant[]): Promise<KeysOfJobs | null> {
    const { db } = this.store;
    const planned = await planEarlier(db, this.blobs, build, join(this.config.dataFolder, 'scratch'));
    if (planned === null) return null;
    const world = keyWorldOf(planned, build.source_date_epoch, await listAgents(db));
    const keys = new Map<string, { end: string | null; boundaries: readonly Position[] }>();
    for (const variant of planned.variants) {
      const outputs = known.find(({ name }) => name === variant.name)?.outputs;
      if (outputs === undefined) continue;
      const { plan, manifest } = variant;
      const own = planKeys(plan, manifest, withFingerprints(world, variant, outputs));
      for (const job of plan.jobs)
        keys.set(`${variant.name}/${job.index}`, {
          end: own.ends[job.index] ?? null,
          boundaries: boundaryPositions(plan, job, own),
        });
    }
    return keys;
  }

  async #write(
    tx: Transaction<Schema>,
    id: BuildId,
    known: readonly WaitingVariant[],
    keys: KeysOfJobs,
  ): Promise<void> {
    const names = new Map(known.map((variant) => [variant.id as string, variant.name]));
    const ends = new Map<JobId, string | null>();
    const boundaries: BoundaryKeyRow[] = [];
    for (const job of await jobsOfBuild(tx, id)) {
      const own = keys.get(`${names.get(job.variant_id) ?? ''}/${job.index}`);
      if (own === undefined) continue;
      ends.set(job.id, own.end);
      boundaries.push(...own.boundaries.map((each) => ({ job_id: job.id, ...each })));
    }
    await writeKeys(tx, ends, boundaries);
  }
}

const NO_PLAN =
  'the step keys cannot be worked out, since something of the submission is gone: all of its steps run, and nothing goes on from them';

function waitingVariant(rows: readonly FingerprintOfStep[]): WaitingVariant {
  const [first] = rows;
  if (first === undefined) throw new RangeError('a variant without fingerprints waits for none');
  return {
    ...{ id: first.variantId, name: first.variant, isOptional: first.isOptional },
    asks: rows.map(({ ask }) => {
      if (ask.answered_at === null) return { kind: 'open' };
      return ask.failure === null ? { kind: 'known' } : { kind: 'failed', reason: ask.failure };
    }),
    outputs: new Map(
      rows.flatMap(({ index, ask }) => (ask.output === null ? [] : [[index, ask.output] as const])),
    ),
  };
}

/** Of one variant, or of all; none of them has run. */
async function failJobs(
  tx: Transaction<Schema>,
  changes: Changes,
  now: number,
  build: BuildId,
  variant: WaitingVariant | null,
  reason: string,
): Promise<void> {
  // What was cancelled meanwhile stays so.
  const failing = (await jobsOfBuild(tx, build)).filter(
    ({ variant_id, state }) =>
      (variant === null || variant.id === variant_id) && (state === 'blocked' || state === 'paused'),
  );
  for (const { id } of failing)
    await updateJob(tx, id, { state: 'failed', waiting_reason: reason, waiting_since: null, ended_at: now });
  if (failing.length === 0) return;
  changes.event('fingerprint-failed', { build }, { variant: variant?.name ?? null, reason });
}
