import type { AgentId, Holding } from '#libs/contracts';
import type { ReplicatedJobRow } from '#libs/store';
import { createHash } from 'node:crypto';
import { abilityGaps, type Abilities } from './ability-gaps.js';
import { canSendTo, type Peer } from './can-send-to.js';
import type { AgentCondition } from './placement-input.js';

/** What replicas are planned from. */
export interface ReplicationInput {
  /** The earlier ones choose first. */
  readonly jobs: readonly ReplicatedJobRow[];
  /** Of the jobs' lineages and ancestors, by whoever holds them. */
  readonly held: readonly HeldCheckpoint[];
  readonly agents: readonly ReplicaAgent[];
}

export interface HeldCheckpoint extends Holding {
  readonly agentId: AgentId;
}

export interface ReplicaAgent extends Abilities {
  readonly id: AgentId;
  readonly peer: Peer;
  readonly state: AgentCondition;
  readonly freeBytes: number;
  /** With less than this free, its checkpoints go before their time. */
  readonly floorBytes: number;
  /** Load average of one minute per processor. */
  readonly cpuLoad: number;
  /** Areas that it was told to drop. */
  readonly dropping: readonly string[];
}

export interface ReplicationPlan {
  /** The longest without the copy that it lacks first, those without any before the others. */
  readonly transfers: readonly PlannedReplica[];
  /** Copies that are wanted and not there, those on their way among them, whether or not anybody could take them. */
  readonly missing: number;
}

/** A copy that an agent is to fetch. */
export interface PlannedReplica {
  readonly receiver: AgentId;
  readonly area: string;
  /** What the first checkpoint may go on from. */
  readonly base: ReplicatedJobRow['base'];
  /** All that a job needs to go on from the last of them, whether or not the receiver has some already. */
  readonly checkpoints: readonly Holding[];
}

/**
 * Which agents are to copy what, so that as many as each build wants hold all that a job of it needs to go on: the checkpoints of its lineage up to the newest. The
 * agent that has the job counts as one more that holds it.
 *
 * Chosen is who could run the job, then who lacks the least of it, then who holds anything of the variant; so an increment is all that moves, and lanes
 * of a variant find what they fork from. For the first copy of a variant it is who has the fewest variants of others to keep, then the lower load; the rest decides
 * a number that is drawn once for each variant and agent. An agent on its way out, in trouble or short of space is given nothing.
 */
export function planReplicas(input: ReplicationInput): ReplicationPlan {
  const pass = new Pass(input);
  const planned = input.jobs.flatMap((job) => pass.planJob(job));
  const { missing } = pass;
  const transfers = planned
    .toSorted((a, b) => a.copies - b.copies || newestOf(a).takenAt - newestOf(b).takenAt)
    .map(({ receiver, area, base, checkpoints }) => ({ receiver, area, base, checkpoints }));
  return { transfers, missing };
}

/** An agent that is to take a first copy has this many times its floor free: else it would soon be told to drop it again. */
const FLOORS_FREE = 2;

interface Ranked extends PlannedReplica {
  /** On how many agents all of it is. */
  readonly copies: number;
}

class Pass {
  missing = 0;
  readonly #byLineage = new Map<string, HeldCheckpoint[]>();
  readonly #holders = new Map<string, Set<AgentId>>();
  /** Areas that each agent holds something of. */
  readonly #areas = new Map<AgentId, Set<string>>();

  constructor(private readonly input: ReplicationInput) {
    const areaOfLineage = new Map(
      input.jobs.flatMap((job) =>
        [job, ...job.ancestors].map(({ lineage }) => [lineage, areaOf(job)] as const),
      ),
    );
    for (const checkpoint of input.held) {
      const { id, lineage, agentId } = checkpoint;
      append(this.#byLineage, lineage, checkpoint);
      this.#holders.set(id, (this.#holders.get(id) ?? new Set()).add(agentId));
      const area = areaOfLineage.get(lineage);
      if (area !== undefined) this.#keeps(agentId, area);
    }
  }

  planJob(job: ReplicatedJobRow): readonly Ranked[] {
    const chain = this.#newestChain(job);
    if (chain.length === 0) return [];
    const area = areaOf(job);
    const copies = this.input.agents.filter(
      (agent) =>
        agent.id === job.agent || (isStaying(agent.state) && this.#reach(chain, agent.id) === chain.length),
    );
    const wanted = Math.max(0, job.replicas + 1 - copies.length);
    this.missing += wanted;
    const receivers = this.input.agents
      .filter((agent) => !copies.includes(agent) && this.#canTake(agent, area, chain))
      .toSorted(byRank((agent) => this.#rank(agent, job, area, chain)))
      .slice(0, wanted);
    return receivers.map(({ id }) => {
      this.#keeps(id, area);
      return { receiver: id, area, base: job.base, checkpoints: chain, copies: copies.length };
    });
  }

  /** From the job's first boundary to the furthest that can be gone back to somewhere, or to where it ended; empty when nothing can. */
  #newestChain(job: ReplicatedJobRow): readonly Holding[] {
    const ancestors = job.ancestors.map(({ lineage }) => lineage);
    const known = [job.lineage, ...ancestors].flatMap((lineage) => this.#byLineage.get(lineage) ?? []);
    const byId = new Map(
      known.filter(({ id }) => this.#sources(id).length > 0).map((each) => [each.id, each]),
    );
    if (job.end !== null) {
      const end = byId.get(job.end);
      return end === undefined ? [] : chainTo(end, byId);
    }
    const own = [...byId.values()].filter(({ lineage }) => lineage === job.lineage);
    const tips = own.length > 0 ? own : [...byId.values()].filter((each) => isWhereItWasSetBack(job, each));
    return tips
      .map((tip) => chainTo(tip, byId))
      .reduce((best, chain) => (isFurther(chain, best) ? chain : best), []);
  }

  /** How many of the chain's checkpoints, from its beginning on, the agent holds. */
  #reach(chain: readonly Holding[], agent: AgentId): number {
    const lacking = chain.findIndex(({ id }) => this.#holders.get(id)?.has(agent) !== true);
    return lacking < 0 ? chain.length : lacking;
  }

  #canTake(agent: ReplicaAgent, area: string, chain: readonly Holding[]): boolean {
    if (agent.state !== 'ready' || agent.dropping.includes(area)) return false;
    if (agent.freeBytes < FLOORS_FREE * agent.floorBytes) return false;
    if (this.#hasNewer(agent.id, chain)) return false;
    return chain
      .slice(this.#reach(chain, agent.id))
      .every(({ id }) => this.#sources(id).some((source) => canSendTo(source.peer, agent.peer)));
  }

  /** It went on from elsewhere, and further as far as anybody knows: a copy would take the place of that. */
  #hasNewer(agent: AgentId, chain: readonly Holding[]): boolean {
    const tip = chain.at(-1);
    return (this.#byLineage.get(tip?.lineage ?? '') ?? []).some(
      ({ agentId, id, takenAt }) =>
        agentId === agent && takenAt >= (tip?.takenAt ?? 0) && chain.every((each) => each.id !== id),
    );
  }

  /** Those that hold it and could send it to somebody. */
  #sources(id: string): readonly ReplicaAgent[] {
    const holders = this.#holders.get(id);
    return this.input.agents.filter((agent) => holders?.has(agent.id) === true && !agent.peer.isGone);
  }

  #rank(
    agent: ReplicaAgent,
    job: ReplicatedJobRow,
    area: string,
    chain: readonly Holding[],
  ): readonly number[] {
    const areas = this.#areas.get(agent.id);
    return [
      abilityGaps(agent, job.requires).length === 0 ? 0 : 1,
      -this.#reach(chain, agent.id),
      areas?.has(area) === true ? 0 : 1,
      areas?.size ?? 0,
      agent.cpuLoad,
      drawn(area, agent.id),
    ];
  }

  #keeps(agent: AgentId, area: string): void {
    this.#areas.set(agent, (this.#areas.get(agent) ?? new Set()).add(area));
  }
}

/** What is on it is there tomorrow, as far as anybody knows. */
export function isStaying(state: AgentCondition): boolean {
  return state === 'ready' || state === 'paused' || state === 'quarantined';
}

function areaOf({ build, variant }: ReplicatedJobRow): string {
  return `${build}.${variant}`;
}

/** The state at which a job that was set back begins, before it has taken any checkpoint of its new lineage. */
function isWhereItWasSetBack({ ancestors }: ReplicatedJobRow, { lineage, label }: Holding): boolean {
  return ancestors.some((ancestor) => ancestor.lineage === lineage && ancestor.upTo === label);
}

/** From the first one on; empty where one of them is nowhere. */
function chainTo(tip: HeldCheckpoint, byId: ReadonlyMap<string, HeldCheckpoint>): readonly Holding[] {
  const chain: Holding[] = [];
  for (let at: HeldCheckpoint | undefined = tip; ; at = byId.get(at.previous)) {
    if (at === undefined || chain.length > byId.size) return [];
    chain.unshift(holdingOf(at));
    if (at.previous === '') return chain;
  }
}

function holdingOf({ id, lineage, workspace, label, previous, takenAt }: HeldCheckpoint): Holding {
  return { id, lineage, workspace, label, previous, takenAt };
}

/** Of two of one length, the one whose last was taken later. */
function isFurther(chain: readonly Holding[], than: readonly Holding[]): boolean {
  if (chain.length !== than.length) return chain.length > than.length;
  return (chain.at(-1)?.takenAt ?? 0) > (than.at(-1)?.takenAt ?? 0);
}

function newestOf({ checkpoints }: PlannedReplica): Holding {
  const newest = checkpoints.at(-1);
  if (newest === undefined) throw new RangeError('a replica of nothing');
  return newest;
}

function byRank<T>(rankOf: (item: T) => readonly number[]): (a: T, b: T) => number {
  return (a, b) => {
    const other = rankOf(b);
    return rankOf(a).reduce((order, value, at) => (order !== 0 ? order : value - (other[at] ?? 0)), 0);
  };
}

/** The same each time, and spread evenly. */
function drawn(area: string, agent: AgentId): number {
  return createHash('sha256').update(`${area} ${agent}`).digest().readUInt32BE(0);
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
