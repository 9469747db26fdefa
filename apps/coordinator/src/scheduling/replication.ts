import { Injectable } from '@nestjs/common';
import {
  FarmError,
  type AgentId,
  type BuildId,
  type HeldReplica,
  type JobId,
  type ReplicaLackList,
  type WantedReplicas,
} from '#libs/contracts';
import { Wakes } from '#libs/queue';
import {
  agentsInWantOfCopies,
  checkpointsOfLineages,
  insertCheckpoint,
  listAgents,
  replicatedJobs,
  whoHolds,
  type AgentRow,
  type ReplicatedJobRow,
} from '#libs/store';
import { laneOf } from '../builds/lane-of.js';
import { judgeLack } from '../decide/judge-lack.js';
import {
  copiesOf,
  planReplicas,
  type CheckpointCopies,
  type PlannedReplica,
  type ReplicaAgent,
  type ReplicationInput,
  type ReplicationPlan,
} from '../decide/plan-replicas.js';
import { spaceFloorOf } from '../decide/space-floor.js';
import { Clock, Store } from '../store.js';
import { agentChannel, PLACES_CHANNEL, REPLICAS_CHANNEL, REPLICATE, Work } from '../work.js';
import { candidateOf } from './candidate-agents.js';
import { KeptPlan } from './kept-plan.js';

/** As the contract allows; what is beyond comes when these are there. */
const MOST_WANTED = 1000;
/** A hint may get lost. */
const HINT_AGAIN_MS = 30_000;
/** A job waits for it; at each pass. */
const HINT_URGENT_AGAIN_MS = 4_000;
/** Behind what an agent is hinted at, when a job is in want of it. */
const URGENT = '!';
/** What changes without a word: agents' space and load, how long a build has rested. */
const FRESH_MS = 5_000;
const NOTHING: ReplicationPlan = { transfers: [], lacks: [], missing: 0 };

/**
 * Copies of checkpoints on other agents. What is wanted is worked out from the record whenever that has changed (planReplicas): the agents that are to fetch something are told
 * that there is something, ask what, fetch it as a job's checkpoints are fetched, and say what they hold.
 */
@Injectable()
export class Replication {
  /** On a farm of a thousand agents one takes a tenth of a second. */
  readonly #plans: KeptPlan<ReplicationPlan>;
  readonly #hinted = new Map<AgentId, { readonly at: number; readonly of: string }>();

  constructor(
    private readonly store: Store,
    private readonly work: Work,
    private readonly wakes: Wakes,
    private readonly clock: Clock,
  ) {
    const make = (): Promise<ReplicationPlan> => this.#make();
    this.#plans = new KeptPlan({ make, freshMs: FRESH_MS, now: () => clock.now() });
    for (const channel of [REPLICAS_CHANNEL, PLACES_CHANNEL])
      wakes.subscribe(channel, () => this.#plans.noteChange());
  }

  /** False: as far as is known, no job has anything to copy; the first that has says so. */
  get isWanted(): boolean {
    return this.#plans.newest !== NOTHING;
  }

  /** Made after the question, or with nothing changed since it was begun. Those that ask meanwhile share one. */
  async plan(): Promise<ReplicationPlan> {
    return await this.#plans.get();
  }

  /** Tells the agents that are to fetch something. */
  async pass(): Promise<void> {
    const { transfers } = await this.#plans.make();
    const now = this.clock.now();
    const wanted = new Map<AgentId, string>();
    for (const { receiver, checkpoints, isUrgent } of transfers)
      wanted.set(
        receiver,
        `${wanted.get(receiver) ?? ''} ${checkpoints.at(-1)?.id ?? ''}${isUrgent ? URGENT : ''}`,
      );
    for (const agent of this.#hinted.keys()) if (!wanted.has(agent)) this.#hinted.delete(agent);
    for (const [agent, of] of wanted) {
      const before = this.#hinted.get(agent);
      const againMs = of.includes(URGENT) ? HINT_URGENT_AGAIN_MS : HINT_AGAIN_MS;
      if (before?.of === of && now - before.at < againMs) continue;
      this.#hinted.set(agent, { at: now, of });
      void this.wakes.publish(agentChannel(agent), REPLICATE);
    }
  }

  /** What the agent is to fetch now. */
  async wantedOf(agent: AgentRow): Promise<WantedReplicas> {
    const { transfers } = await this.plan();
    const replicas = transfers
      .filter(({ receiver }) => receiver === agent.id)
      .map(({ area, base, checkpoints, isUrgent }) => ({
        area,
        base,
        checkpoints: [...checkpoints],
        ...(isUrgent ? { urgent: true as const } : {}),
      }));
    return { replicas: replicas.slice(0, MOST_WANTED) };
  }

  /** What the checkpoint is part of that the agent is to have a copy of; `null`: of nothing. */
  async wanted(agent: AgentId, area: string, checkpoint: string): Promise<PlannedReplica | null> {
    const find = ({ transfers }: ReplicationPlan): PlannedReplica | undefined =>
      transfers.find(
        (transfer) => transfer.receiver === agent && transfer.area === area && hasIt(transfer, checkpoint),
      );
    const { recent } = this.#plans;
    const known = recent === null ? undefined : find(recent);
    return known ?? find(await this.plan()) ?? null;
  }

  /** Where the job has copies of its checkpoint; `null`: nobody has said yet that the checkpoint exists. */
  async copiesFor(job: JobId, checkpoint: string): Promise<CheckpointCopies | 'not wanted' | null> {
    const jobs = await replicatedJobs(this.store.db, { job });
    return jobs.length === 0 ? 'not wanted' : copiesOf(await this.#inputOf(jobs), checkpoint);
  }

  /** What jobs lack of copies: of all builds, or of one. */
  async lacking(build: BuildId | null = null): Promise<ReplicaLackList> {
    const { lacks } = await this.plan();
    const wanted = lacks.filter((lack) => build === null || lack.build === build);
    const agents = wanted.length === 0 ? [] : await listAgents(this.store.db);
    const names = new Map(agents.map(({ id, name }) => [id, name]));
    const lacking = wanted.map((lack) => {
      const { build, variant, lane, label, takenAt, missing, behind } = lack;
      const verdict = judgeLack(lack, (agent) => names.get(agent) ?? agent, this.clock.now());
      return { build, variant, lane, label, takenAt, missing, behind, ...verdict };
    });
    return { lacking };
  }

  /** The agent has it now. Throws CONFLICT when it is of no checkpoint that is known. */
  async held(agent: AgentRow, { area, holding, from, bytes, ms }: HeldReplica): Promise<void> {
    await this.work.change(async (tx, changes) => {
      const known = (await checkpointsOfLineages(tx, [holding.lineage])).find(({ id }) => id === holding.id);
      if (known === undefined || `${known.buildId}.${known.variant}` !== area)
        throw new FarmError(
          'CONFLICT',
          `nobody has a checkpoint ${holding.label} (${holding.id}) of ${area}`,
        );
      await insertCheckpoint(tx, { ...known, agentId: agent.id });
      changes.wantsReplicas = true;
      for (const waiting of await agentsInWantOfCopies(tx, known.lineage)) changes.tellCopied.add(waiting);
      const { label, id: checkpoint, workspace } = known;
      changes.event(
        'checkpoint-replicated',
        { build: known.buildId, agent: agent.id },
        {
          variant: known.variant,
          lane: laneOf(workspace),
          label,
          checkpoint,
          to: agent.name,
          from,
          bytes,
          ms,
        },
      );
    });
    this.#plans.noteChange();
  }

  async #make(): Promise<ReplicationPlan> {
    const jobs = await replicatedJobs(this.store.db);
    return jobs.length === 0 ? NOTHING : planReplicas(await this.#inputOf(jobs));
  }

  async #inputOf(jobs: readonly ReplicatedJobRow[]): Promise<ReplicationInput> {
    const { db } = this.store;
    const now = this.clock.now();
    const lineages = jobs.flatMap(({ lineage, ancestors }) => [
      lineage,
      ...ancestors.map((each) => each.lineage),
    ]);
    const held = await whoHolds(db, [...new Set(lineages)]);
    const agents = (await listAgents(db)).map((agent) => replicaAgent(agent, now));
    return { jobs, held, agents, before: this.#plans.newest?.transfers ?? [] };
  }
}

function hasIt({ checkpoints }: PlannedReplica, id: string): boolean {
  return checkpoints.some((checkpoint) => checkpoint.id === id);
}

function replicaAgent(agent: AgentRow, now: number): ReplicaAgent {
  const { state, peer, architectures, labels, tools, cpuLoad } = candidateOf(agent, [], now);
  const { id, facts, dropping } = agent;
  return {
    ...{ id, peer, dropping, state, architectures, labels, tools, cpuLoad },
    freeBytes: facts.freeBytes,
    floorBytes: spaceFloorOf(facts),
  };
}
