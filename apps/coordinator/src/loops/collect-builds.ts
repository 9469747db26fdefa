import { Injectable } from '@nestjs/common';
import { BlobStore, LogStore } from '#libs/artifacts';
import {
  addDropping,
  attemptsOfBuild,
  listAgents,
  listCheckpoints,
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
  type AgentRow,
  type RestingBuild,
} from '#libs/store';
import { CoordinatorConfig } from '../config.js';
import { collectBuilds, type AgentSpace, type Collection } from '../decide/collect-policy.js';
import { spaceFloorOf } from '../decide/space-floor.js';
import { Log } from '../log.js';
import { Clock, Store } from '../store.js';
import { Work } from '../work.js';

/** A blob may be in the store for so long before anything refers to it: uploads come before the report that names them. */
const YOUNG_BLOB_MS = 6 * 3_600_000;
const STALE_UPLOAD_MS = 24 * 3_600_000;
const BLOBS_PER_PASS = 500;

/** Retention: decides (collectBuilds) and removes. */
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
    const agents = (await listAgents(db)).filter(({ revokedAt }) => revokedAt === null).map(spaceOf);
    for (const collection of collectBuilds(builds, agents, this.config, this.clock.now())) {
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
    for (const { id } of await staleUploads(db, now - STALE_UPLOAD_MS)) {
      await this.blobs.abandon(id);
      await removeUpload(db, id);
    }
  }

  async #collect(build: RestingBuild, { checkpointsOn, artifacts, logs, why }: Collection): Promise<void> {
    const { db } = this.store;
    await this.work.change(async (tx, changes) => {
      for (const agent of checkpointsOn) {
        const held = await listCheckpoints(tx, { build: build.id, agent });
        await addDropping(tx, agent, [...new Set(held.map(({ variant }) => `${build.id}.${variant}`))]);
        changes.wakeAgents.add(agent);
      }
    });
    if (artifacts) await markArtifactsUnavailable(db, build.id);
    if (logs) await this.#removeLogs(build);
    this.log.info({ component: 'collect', build: build.id, why }, 'collected');
  }

  async #removeLogs({ id }: RestingBuild): Promise<void> {
    for (const attempt of await attemptsOfBuild(this.store.db, id)) {
      await this.logs.remove(attempt.id);
      await removeLogChunks(this.store.db, attempt.id);
    }
  }

  /** From here on a build can no longer be resumed, and the files and outputs it was made of are nobody's. */
  async #forgetOld(builds: readonly RestingBuild[]): Promise<void> {
    const now = this.clock.now();
    for (const { id, state, endedAt, collected } of builds) {
      const keepMs = state === 'succeeded' ? this.config.keepFinishedMs : this.config.keepFailedMs;
      if (collected || state === 'paused' || endedAt === null || now - endedAt <= keepMs) continue;
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

function spaceOf({ id, name, facts, dropping }: AgentRow): AgentSpace {
  return {
    id,
    name,
    freeBytes: facts.freeBytes,
    floorBytes: spaceFloorOf(facts),
    isDropping: dropping.length > 0,
  };
}
