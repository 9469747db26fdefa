import { Injectable } from '@nestjs/common';
import { Log } from '../log.js';
import type { BuildId } from '#libs/contracts';
import { BlobStore, LogStore } from '#libs/artifacts';
import {
  addDropping,
  attemptsOfBuild,
  buildsAtRest,
  listCheckpoints,
  markArtifactsUnavailable,
  removeBlob,
  removeOutputsOfBuild,
  removeUpload,
  staleUploads,
  trimEvents,
  unreferencedBlobs,
  updateBuild,
  buildsWithOldLogs,
  buildsWithOldArtifacts,
} from '#libs/store';
import { CoordinatorConfig } from '../config.js';
import { Clock, Store } from '../store.js';
import { Work } from '../work.js';

/** A blob may be in the store for so long before anything refers to it: uploads come before the report that names them. */
const YOUNG_BLOB_MS = 6 * 3_600_000;
const STALE_UPLOAD_MS = 24 * 3_600_000;
const BLOBS_PER_PASS = 500;

/** Retention: checkpoints go first, then artifacts, then logs, each after the time that the settings say, and never of a build that is not at rest. */
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
    await this.#collectCheckpoints();
    await this.#collectArtifacts();
    await this.#collectBlobs();
  }

  /** What grows with time alone. */
  async trim(): Promise<void> {
    const { db } = this.store;
    const now = this.clock.now();
    await trimEvents(db, now - this.config.keepEventsMs);
    for (const build of await buildsWithOldLogs(db, now - this.config.keepLogsMs)) {
      for (const { id } of await attemptsOfBuild(db, build)) await this.logs.remove(id);
    }
    for (const { id } of await staleUploads(db, now - STALE_UPLOAD_MS)) {
      await this.blobs.abandon(id);
      await removeUpload(db, id);
    }
  }

  /** Tells the agents that hold them; a build without checkpoints can no longer be resumed. */
  async #collectCheckpoints(): Promise<void> {
    const now = this.clock.now();
    for (const build of await buildsAtRest(this.store.db)) {
      const keepMs = build.state === 'succeeded' ? this.config.keepFinishedMs : this.config.keepFailedMs;
      if (now - build.endedAt < keepMs) continue;
      await this.#collect(build.id);
      this.log.info({ component: 'collect', build: build.id, state: build.state }, 'checkpoints collected');
    }
  }

  async #collect(build: BuildId): Promise<void> {
    await this.work.change(async (tx, changes, now) => {
      const held = await listCheckpoints(tx, { build });
      const byAgent = new Map(held.map(({ agentId }) => [agentId, new Set<string>()]));
      for (const { agentId, variant } of held) byAgent.get(agentId)?.add(`${build}.${variant}`);
      for (const [agent, areas] of byAgent) {
        await addDropping(tx, agent, [...areas]);
        changes.wakeAgents.add(agent);
      }
      await removeOutputsOfBuild(tx, build);
      await updateBuild(tx, build, { collected_at: now });
    });
  }

  async #collectArtifacts(): Promise<void> {
    const { db } = this.store;
    const before = this.clock.now() - this.config.keepArtifactsMs;
    for (const build of await buildsWithOldArtifacts(db, before)) await markArtifactsUnavailable(db, build);
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
