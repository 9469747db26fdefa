import type { AgentId, BuildId, Holding } from '#libs/contracts';
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
  /** What was planned before: a copy that an agent has begun goes on there, though another has less to do by now. */
  readonly before?: readonly Pick<PlannedReplica, 'receiver' | 'area'>[];
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
  /** What a job is in want of first, then the longest without the copy that it lacks, those without any before the others. */
  readonly transfers: readonly PlannedReplica[];
  /** Jobs that lack copies, in the order of submission. */
  readonly lacks: readonly ReplicaLack[];
  /** Copies that are wanted and not there, those on their way among them, whether or not anybody could take them. */
  readonly missing: number;
}

/** What a job lacks of copies. */
export interface ReplicaLack {
  readonly build: BuildId;
  readonly variant: string;
  readonly lane: string;
  /** Of its newest checkpoint. */
  readonly label: string;
  readonly takenAt: number;
  /** Of the copies that are wanted, those that are not there. */
  readonly missing: number;
  readonly wanted: number;
  /** Who is to fetch them; fewer than `missing`: no other agent can take one. */
  readonly receivers: readonly AgentId[];
  /** How many checkpoints the copy that got furthest lacks. */
  readonly behind: number;
  /** Since when the job has been in want of one; `null`: it is not. */
  readonly lateSince: number | null;
}

/** A copy that an agent is to fetch. */
export interface PlannedReplica {
  readonly receiver: AgentId;
  readonly area: string;
  /** What the first checkpoint may go on from. */
  readonly base: ReplicatedJobRow['base'];
  /** All that a job needs to go on from the last of them, whether or not the receiver has some already. */
  readonly checkpoints: readonly Holding[];
  /** A job is in want of it: the time of others counts for less. */
  readonly isUrgent: boolean;
}

/** Copies of a checkpoint of one job. */
export interface CheckpointCopies {
  /** Agents that hold all that the job needs to go on from it, and will stay, but for the job's own. */
  readonly on: readonly AgentId[];
  readonly missing: number;
  /** Who is to fetch it. */
  readonly receivers: readonly AgentId[];
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
  const { lacks } = pass;
  const transfers = planned
    .toSorted(
      (a, b) =>
        Number(b.isUrgent) - Number(a.isUrgent) ||
        a.copies - b.copies ||
        newestOf(a).takenAt - newestOf(b).takenAt,
    )
    .map(({ receiver, area, base, checkpoints, isUrgent }) => ({
      receiver,
      area,
      base,
      checkpoints,
      isUrgent,
    }));
  return { transfers, lacks, missing: lacks.reduce((sum, { missing }) => sum + missing, 0) };
}

/** Where the first of the jobs has copies of the checkpoint, and who is to fetch it; `null`: nobody has said yet that the checkpoint exists. */
export function copiesOf(input: ReplicationInput, checkpoint: string): CheckpointCopies | null {
  const [job] = input.jobs;
  return job === undefined ? null : new Pass(input).copiesOf(job, checkpoint);
}

/** An agent that is to take a first copy has this many times its floor free: else it would soon be told to drop it again. */
const FLOORS_FREE = 2;

interface Ranked extends PlannedReplica {
  /** On how many agents all of it is. */
  readonly copies: number;
}

class Pass {
  readonly lacks: ReplicaLack[] = [];
  readonly #agents: ReadonlyMap<AgentId, ReplicaAgent>;
  readonly #byLineage = new Map<string, HeldCheckpoint[]>();
  readonly #holders = new Map<string, Set<AgentId>>();
  /** Areas that each agent holds something of. */
  readonly #areas = new Map<AgentId, Set<string>>();
  readonly #before = new Map<string, Set<AgentId>>();
  readonly #digests = new Map<string, number>();

  constructor(private readonly input: ReplicationInput) {
    this.#agents = new Map(input.agents.map((agent) => [agent.id, agent]));
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
    for (const { area, receiver } of input.before ?? [])
      this.#before.set(area, (this.#before.get(area) ?? new Set()).add(receiver));
  }

  planJob(job: ReplicatedJobRow): readonly Ranked[] {
    const chain = this.#newestChain(job);
    const newest = chain.at(-1);
    if (newest === undefined) return [];
    const area = areaOf(job);
    const { on, missing, receivers } = this.#copies(job, chain);
    if (missing > 0) this.#lacks(job, chain, { on, missing, receivers });
    const copies = on.length + (job.agent === null ? 0 : 1);
    return receivers.map((receiver) => {
      this.#keeps(receiver, area);
      const isUrgent = job.lateSince !== null;
      return { receiver, area, base: job.base, checkpoints: chain, isUrgent, copies };
    });
  }

  copiesOf(job: ReplicatedJobRow, checkpoint: string): CheckpointCopies | null {
    const byId = this.#known(job);
    const tip = byId.get(checkpoint);
    const chain = tip === undefined ? [] : chainTo(tip, byId);
    return chain.length === 0 ? null : this.#copies(job, chain);
  }

  #copies(job: ReplicatedJobRow, chain: readonly Holding[]): CheckpointCopies {
    const on = this.#holding(newestOf({ checkpoints: chain })).filter(
      ({ id, state }) => id !== job.agent && isStaying(state) && this.#reach(chain, id) === chain.length,
    );
    // While nobody has the job, whoever has all of it stands for its own agent.
    const missing = Math.max(0, job.replicas + (job.agent === null ? 1 : 0) - on.length);
    const receivers = missing === 0 ? [] : this.#receivers(job, chain, on, missing);
    return { on: on.map(({ id }) => id), missing, receivers: receivers.map(({ id }) => id) };
  }

  /** Of a thousand agents hardly any holds something of the job: when these are enough, nobody looks at the rest. */
  #receivers(
    job: ReplicatedJobRow,
    chain: readonly Holding[],
    on: readonly ReplicaAgent[],
    count: number,
  ): readonly ReplicaAgent[] {
    const can = (agent: ReplicaAgent): boolean =>
      agent.id !== job.agent && !on.includes(agent) && this.#canTake(agent, job, chain);
    const begun = this.#holding(chain[0]).filter(
      (agent) => abilityGaps(agent, job.requires).length === 0 && can(agent),
    );
    const among = begun.length >= count ? begun : this.input.agents.filter(can);
    return sortedByRank(among, (agent) => this.#rank(agent, job, chain)).slice(0, count);
  }

  #lacks(
    job: ReplicatedJobRow,
    chain: readonly Holding[],
    { on, missing, receivers }: CheckpointCopies,
  ): void {
    const { build, variant, lane, replicas, lateSince } = job;
    const { label, takenAt } = newestOf({ checkpoints: chain });
    const others = this.#holding(chain[0]).filter(({ id, state }) => id !== job.agent && isStaying(state));
    const furthest = Math.max(0, ...others.map(({ id }) => this.#reach(chain, id)));
    const behind = on.length > 0 ? 0 : chain.length - furthest;
    this.lacks.push({
      ...{ build, variant, lane, label, takenAt, missing, wanted: replicas, receivers, behind, lateSince },
    });
  }

  /** From the job's first boundary to the furthest that can be gone back to somewhere, or to where it ended; empty when nothing can. */
  #newestChain(job: ReplicatedJobRow): readonly Holding[] {
    const byId = this.#known(job);
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

  /** Checkpoints of the job that somebody could send. */
  #known(job: ReplicatedJobRow): ReadonlyMap<string, HeldCheckpoint> {
    const ancestors = job.ancestors.map(({ lineage }) => lineage);
    const known = [job.lineage, ...ancestors].flatMap((lineage) => this.#byLineage.get(lineage) ?? []);
    return new Map(known.filter((each) => this.#sources(each).length > 0).map((each) => [each.id, each]));
  }

  /** How many of the chain's checkpoints, from its beginning on, the agent holds. */
  #reach(chain: readonly Holding[], agent: AgentId): number {
    const lacking = chain.findIndex(({ id }) => this.#holders.get(id)?.has(agent) !== true);
    return lacking < 0 ? chain.length : lacking;
  }

  #canTake(agent: ReplicaAgent, job: ReplicatedJobRow, chain: readonly Holding[]): boolean {
    if (agent.state !== 'ready' || agent.dropping.includes(areaOf(job))) return false;
    if (agent.freeBytes < FLOORS_FREE * agent.floorBytes) return false;
    if (this.#hasNewer(agent.id, chain)) return false;
    return chain
      .slice(this.#reach(chain, agent.id))
      .every((checkpoint) => this.#sources(checkpoint).some((source) => canSendTo(source.peer, agent.peer)));
  }

  /** It went on from elsewhere, and further as far as anybody knows: a copy would take the place of that. */
  #hasNewer(agent: AgentId, chain: readonly Holding[]): boolean {
    const tip = chain.at(-1);
    return (this.#byLineage.get(tip?.lineage ?? '') ?? []).some(
      ({ agentId, id, takenAt }) =>
        agentId === agent && takenAt >= (tip?.takenAt ?? 0) && chain.every((each) => each.id !== id),
    );
  }

  /** Those that could send it to somebody. */
  #sources(checkpoint: Holding): readonly ReplicaAgent[] {
    return this.#holding(checkpoint).filter(({ peer }) => !peer.isGone);
  }

  #holding(checkpoint: Holding | undefined): readonly ReplicaAgent[] {
    const holders = this.#holders.get(checkpoint?.id ?? '') ?? [];
    return [...holders].flatMap((id) => this.#agents.get(id) ?? []);
  }

  #rank(agent: ReplicaAgent, job: ReplicatedJobRow, chain: readonly Holding[]): readonly number[] {
    const area = areaOf(job);
    const areas = this.#areas.get(agent.id);
    return [
      abilityGaps(agent, job.requires).length === 0 ? 0 : 1,
      -this.#reach(chain, agent.id),
      areas?.has(area) === true ? 0 : 1,
      this.#wasChosen(agent.id, area) ? 0 : 1,
      areas?.size ?? 0,
      agent.cpuLoad,
      drawn(this.#digestOf(area), this.#digestOf(agent.id)),
    ];
  }

  #wasChosen(agent: AgentId, area: string): boolean {
    return this.#before.get(area)?.has(agent) === true;
  }

  #digestOf(name: string): number {
    const digest = this.#digests.get(name) ?? createHash('sha256').update(name).digest().readUInt32BE(0);
    this.#digests.set(name, digest);
    return digest;
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

function newestOf({ checkpoints }: Pick<PlannedReplica, 'checkpoints'>): Holding {
  const newest = checkpoints.at(-1);
  if (newest === undefined) throw new RangeError('a replica of nothing');
  return newest;
}

function sortedByRank<T>(items: readonly T[], rankOf: (item: T) => readonly number[]): readonly T[] {
  return items
    .map((item) => ({ item, rank: rankOf(item) }))
    .sort((a, b) => a.rank.reduce((order, value, at) => order || value - (b.rank[at] ?? 0), 0))
    .map(({ item }) => item);
}

/** The same each time, and spread evenly. */
function drawn(area: number, agent: number): number {
  let mixed = area ^ agent;
  for (let round = 0; round < 2; round += 1) mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
