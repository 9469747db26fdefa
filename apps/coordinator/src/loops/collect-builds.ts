import { Injectable } from '@nestjs/common';
import { BlobStore, LogStore } from '#libs/artifacts';
import {
  addDropping,
  buildsGoneOnFrom,
  forgetAsks,
  attemptsOfBuild,
  checkpointsOfReplicated,
  groupBy,
  listAgents,
  listCheckpoints,
  lockBuild,
  markArtifactsUnavailable,
  openAttempts,
  removeBlob,
  removeCheckpointsOfArea,
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
import { dropReplicas, type DroppedReplica, type HeldArea } from '../decide/drop-replicas.js';
import { isStaying } from '../decide/plan-replicas.js';
import { spaceFloorOf } from '../decide/space-floor.js';
import { Log } from '../log.js';
import { conditionOf } from '../scheduling/candidate-agents.js';
import { Clock, Store } from '../store.js';
import { Work } from '../work.js';

/** A blob may be in the store for so long before anything refers to it: uploads come before the report that names them. */
const YOUNG_BLOB_MS = 6 * 3_600_000;
const STALE_UPLOAD_MS = 24 * 3_600_000;
const BLOBS_PER_PASS = 500;
/** Of what was only planned. */
const OLD_ASK_MS = 24 * 3_600_000;

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
    const needed = await buildsGoneOnFrom(db);
    const builds = (await restingBuilds(db)).map((build) => ({ ...build, pinned: needed.has(build.id) }));
    const byId = new Map(builds.map((build) => [build.id, build]));
    const rows = (await listAgents(db)).filter(({ revokedAt }) => revokedAt === null);
    const agents = await this.#afterDroppingReplicas(rows, builds);
    for (const collection of collectBuilds(builds, agents, this.config, this.clock.now())) {
      const build = byId.get(collection.build);
      if (build !== undefined) await this.#collect(build, collection);
    }
    await this.#forgetOld(builds);
    await this.#collectBlobs();
  }

  /** The room of the agents; those that give up a replica now give up nothing else. Of finished builds nothing is needed, so that goes before replicas. */
  async #afterDroppingReplicas(
    rows: readonly AgentRow[],
    builds: readonly RestingBuild[],
  ): Promise<readonly AgentSpace[]> {
    const agents = rows.map(spaceOf);
    const holdFinished = new Set(
      builds.flatMap(({ state, heldOn }) => (state === 'succeeded' ? heldOn : [])),
    );
    const short = agents.filter((agent) => agent.freeBytes < agent.floorBytes && !holdFinished.has(agent.id));
    if (short.length === 0) return agents;
    const now = this.clock.now();
    const staying = new Set(rows.filter((row) => isStaying(conditionOf(row, now))).map(({ id }) => id));
    const dropped = dropReplicas(short, await this.#heldAreas(), staying);
    for (const replica of dropped) await this.#dropReplica(replica);
    const dropping = new Set(dropped.map(({ agent }) => agent));
    return agents.map((agent) => (dropping.has(agent.id) ? { ...agent, isDropping: true } : agent));
  }

  async #heldAreas(): Promise<readonly HeldArea[]> {
    const { db } = this.store;
    const works = new Set(
      (await openAttempts(db)).map(({ agent_id, build_id }) => `${agent_id} ${build_id}`),
    );
    const held = groupBy(
      await checkpointsOfReplicated(db),
      ({ agentId, buildId, variant }) => `${agentId} ${buildId}.${variant}`,
    );
    return [...held.values()].flatMap((checkpoints) => {
      const [first] = checkpoints;
      if (first === undefined) return [];
      const { agentId: agent, buildId: build, variant } = first;
      return {
        ...{ agent, build, variant },
        isInUse: works.has(`${agent} ${build}`),
        checkpoints: checkpoints.map(({ id }) => id),
        newestAt: Math.max(...checkpoints.map(({ takenAt }) => takenAt)),
      };
    });
  }

  async #dropReplica({ agent, build, variant, why }: DroppedReplica): Promise<void> {
    const isDropped = await this.work.change(async (tx, changes) => {
      await lockBuild(tx, build);
      if ((await openAttempts(tx, agent)).some(({ build_id }) => build_id === build)) return false;
      // At once: nobody is to be sent there for them.
      await removeCheckpointsOfArea(tx, agent, build, variant);
      await addDropping(tx, agent, [`${build}.${variant}`]);
      changes.wakeAgents.add(agent);
      changes.event('warning', { build, agent }, { variant, text: why });
      return true;
    });
    if (isDropped) this.log.warn({ component: 'collect', build, variant, agent, why }, 'replica dropped');
  }

  /** What grows with time alone. */
  async trim(): Promise<void> {
    const { db } = this.store;
    const now = this.clock.now();
    await trimEvents(db, now - this.config.keepEventsMs);
    await forgetAsks(db, now - OLD_ASK_MS);
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
  async #forgetOld(builds: readonly (RestingBuild & { readonly pinned: boolean })[]): Promise<void> {
    const now = this.clock.now();
    for (const { id, state, endedAt, collected, pinned } of builds) {
      const keepMs = state === 'succeeded' ? this.config.keepFinishedMs : this.config.keepFailedMs;
      if (collected || pinned || state === 'paused' || endedAt === null || now - endedAt <= keepMs) continue;
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
