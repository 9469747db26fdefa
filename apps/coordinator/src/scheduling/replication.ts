import { Injectable } from '@nestjs/common';
import { FarmError, type AgentId, type HeldReplica, type WantedReplicas } from '#libs/contracts';
import { Wakes } from '#libs/queue';
import {
  checkpointsOfLineages,
  insertCheckpoint,
  listAgents,
  replicatedJobs,
  type AgentRow,
} from '#libs/store';
import { laneOf } from '../builds/lane-of.js';
import {
  planReplicas,
  type PlannedReplica,
  type ReplicaAgent,
  type ReplicationPlan,
} from '../decide/plan-replicas.js';
import { spaceFloorOf } from '../decide/space-floor.js';
import { Clock, Store } from '../store.js';
import { agentChannel, REPLICATE, Work } from '../work.js';
import { candidateOf } from './candidate-agents.js';

/** As the contract allows; what is beyond comes when these are there. */
const MOST_WANTED = 1000;
/** A hint may get lost. */
const HINT_AGAIN_MS = 30_000;
/** An agent that was told to fetch something asks for its ticket a moment later. */
const FRESH_MS = 1_000;

/**
 * Copies of checkpoints on other agents. What is wanted is worked out from the record each time (planReplicas): the agents that are to fetch something are told
 * that there is something, ask what, fetch it as a job's checkpoints are fetched, and say what they hold.
 */
@Injectable()
export class Replication {
  #newest: { readonly at: number; readonly plan: ReplicationPlan } | null = null;
  readonly #hinted = new Map<AgentId, { readonly at: number; readonly of: string }>();

  constructor(
    private readonly store: Store,
    private readonly work: Work,
    private readonly wakes: Wakes,
    private readonly clock: Clock,
  ) {}

  async plan(): Promise<ReplicationPlan> {
    const at = this.clock.now();
    const plan = await this.#read(at);
    this.#newest = { at, plan };
    return plan;
  }

  /** Tells the agents that are to fetch something. */
  async pass(): Promise<void> {
    const { transfers } = await this.plan();
    const now = this.clock.now();
    const wanted = new Map<AgentId, string>();
    for (const { receiver, checkpoints } of transfers)
      wanted.set(receiver, `${wanted.get(receiver) ?? ''} ${checkpoints.at(-1)?.id ?? ''}`);
    for (const agent of this.#hinted.keys()) if (!wanted.has(agent)) this.#hinted.delete(agent);
    for (const [agent, of] of wanted) {
      const before = this.#hinted.get(agent);
      if (before?.of === of && now - before.at < HINT_AGAIN_MS) continue;
      this.#hinted.set(agent, { at: now, of });
      void this.wakes.publish(agentChannel(agent), REPLICATE);
    }
  }

  /** What the agent is to fetch now. */
  async wantedOf(agent: AgentRow): Promise<WantedReplicas> {
    const { transfers } = await this.plan();
    const replicas = transfers
      .filter(({ receiver }) => receiver === agent.id)
      .map(({ area, base, checkpoints }) => ({ area, base, checkpoints: [...checkpoints] }));
    return { replicas: replicas.slice(0, MOST_WANTED) };
  }

  /** Whether the agent is to have a copy of the checkpoint. */
  async wants(agent: AgentId, area: string, checkpoint: string): Promise<boolean> {
    const isWanted = ({ transfers }: ReplicationPlan): boolean =>
      transfers.some(
        (transfer) => transfer.receiver === agent && transfer.area === area && hasIt(transfer, checkpoint),
      );
    const newest = this.#newest;
    if (newest !== null && this.clock.now() - newest.at < FRESH_MS && isWanted(newest.plan)) return true;
    return isWanted(await this.plan());
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
    this.#newest = null;
  }

  async #read(now: number): Promise<ReplicationPlan> {
    const { db } = this.store;
    const jobs = await replicatedJobs(db);
    if (jobs.length === 0) return { transfers: [], missing: 0 };
    const lineages = jobs.flatMap(({ lineage, ancestors }) => [
      lineage,
      ...ancestors.map((each) => each.lineage),
    ]);
    const held = await checkpointsOfLineages(db, [...new Set(lineages)]);
    const agents = (await listAgents(db)).map((agent) => replicaAgent(agent, now));
    return planReplicas({ jobs, held, agents });
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
