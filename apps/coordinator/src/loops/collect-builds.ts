import { Injectable } from '@nestjs/common';
import { BlobStore, LogStore } from '#libs/artifacts';
import {
  forgetAsks,
  forgetListings,
  attemptsOfBuild,
  buildsGoneOnFrom,
  buildsOfAreas,
  listCheckpointPins,
  markArtifactsUnavailable,
  removeBlob,
  removeLogChunks,
  removeOutputsOfBuild,
  removeUpload,
  restingBuilds,
  staleUploads,
  trimEvents,
  unreferencedBlobs,
  updateBuild,
  type RestingBuild,
} from '#libs/store';
import { CoordinatorConfig } from '../config.js';
import { collectBuilds, type Collection } from '../decide/collect-policy.js';
import { oldBuilds } from '../decide/collection-order.js';
import { Log } from '../log.js';
import { Clock, Store } from '../store.js';
import { Work } from '../work.js';

/** A blob may be in the store for so long before anything refers to it: uploads come before the report that names them. */
const YOUNG_BLOB_MS = 6 * 3_600_000;
const STALE_UPLOAD_MS = 24 * 3_600_000;
const BLOBS_PER_PASS = 500;
/** Of what was only planned. */
const OLD_ASK_MS = 24 * 3_600_000;
/** Whoever compares a state again finds its listing, and can when the state is gone. */
const UNWANTED_LISTING_MS = 7 * 24 * 3_600_000;

/** Retention of artifacts, logs and what they are made of: decides (collectBuilds) and removes. Of checkpoints: CollectCheckpoints. */
@Injectable()
export class CollectBuilds {
  constructor(
    private readonly store: Store,
    private readonly work: Work,
    private readonly blobs: BlobStore,
    private readonly logs: LogStore,
    private readonly config: CoordinatorConfig,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  async pass(): Promise<void> {
    const { db } = this.store;
    const builds = await restingBuilds(db);
    const byId = new Map(builds.map((build) => [build.id, build]));
    for (const collection of collectBuilds(builds, this.config, this.clock.now())) {
      const build = byId.get(collection.build);
      if (build !== undefined) await this.#collect(build, collection);
    }
    await this.#forgetOld(builds);
    await this.#collectBlobs();
  }

  /** What grows with time alone. */
  async trim(): Promise<void> {
    const { db } = this.store;
    const now = this.clock.now();
    await trimEvents(db, now - this.config.keepEventsMs);
    await forgetAsks(db, now - OLD_ASK_MS);
    await forgetListings(db, now - UNWANTED_LISTING_MS);
    for (const { id } of await staleUploads(db, now - STALE_UPLOAD_MS)) {
      await this.blobs.abandon(id);
      await removeUpload(db, id);
    }
  }

  async #collect(build: RestingBuild, { artifacts, logs, why }: Collection): Promise<void> {
    if (artifacts) await markArtifactsUnavailable(this.store.db, build.id);
    if (logs) await this.#removeLogs(build);
    this.log.info({ component: 'collect', build: build.id, why }, 'collected');
  }

  async #removeLogs({ id }: RestingBuild): Promise<void> {
    for (const attempt of await attemptsOfBuild(this.store.db, id)) {
      await this.logs.remove(attempt.id);
      await removeLogChunks(this.store.db, attempt.id);
    }
  }

  /**
   * From here on a build can no longer be resumed, and the files and outputs it was made of are nobody's. Its checkpoints went with the same pass, or go when its agents are back. What a person
   * pinned, or others go on from, is not forgotten.
   */
  async #forgetOld(builds: readonly RestingBuild[]): Promise<void> {
    const { db } = this.store;
    const now = this.clock.now();
    const old = oldBuilds(await buildsOfAreas(db), this.config, now);
    const needed = await buildsGoneOnFrom(db);
    const pinned = new Set((await listCheckpointPins(db)).map(({ build }) => build));
    for (const { id, state } of builds) {
      if (!old.has(id) || state === 'paused' || needed.has(id) || pinned.has(id)) continue;
      await this.work.change(async (tx) => {
        await removeOutputsOfBuild(tx, id);
        await updateBuild(tx, id, { collected_at: now });
      });
    }
  }

  /** The row first: whoever wants the blob again before its bytes are gone uploads it anew. */
  async #collectBlobs(): Promise<void> {
    const before = this.clock.now() - YOUNG_BLOB_MS;
    const unwanted = await unreferencedBlobs(this.store.db, { before, limit: BLOBS_PER_PASS });
    for (const { sha256 } of unwanted) {
      if (await removeBlob(this.store.db, sha256, before)) await this.blobs.remove(sha256);
    }
  }
}
