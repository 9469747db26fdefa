import type { AgentId } from '#libs/contracts';
import { describeCarryOver, type CarryOver } from './carry-over.js';
import type { CandidateAgent, Holders, WantedState } from './placement-input.js';

/** An agent with what is left of it while a pass hands out its slots. */
export interface AgentRoom {
  readonly agent: CandidateAgent;
  running: number;
  freeBytes: number;
  /** 0: never. */
  lastAssignedAt: number;
}

export function roomOf(agent: CandidateAgent): AgentRoom {
  const { running, freeBytes } = agent;
  return { agent, running, freeBytes, lastAssignedAt: agent.lastAssignedAt ?? 0 };
}

/** Bytes are taken with the slot, so that jobs placed on one agent in one pass do not count the same ones twice. */
export function takeSlot(room: AgentRoom, bytes: number, now: number): void {
  room.running += 1;
  room.freeBytes -= bytes;
  room.lastAssignedAt = now;
}

export function hasSlot(room: AgentRoom): boolean {
  return room.running < room.agent.slots;
}

/** How much an agent's checkpoints help: its own newest boundary beats all, then holding what the job goes on from. */
export interface Affinity {
  readonly own: ReadonlyMap<AgentId, number> | undefined;
  readonly base: ReadonlyMap<AgentId, number> | undefined;
  /** What it would cost to get the job as far there as it was; `null` of a job that has done nothing yet. */
  readonly costOf: ((agent: CandidateAgent) => CarryOver) | null;
}

export function affinityOf(
  wants: WantedState,
  holders: Holders,
  costOf: Affinity['costOf'] = null,
): Affinity {
  return {
    costOf,
    own: holders.get(wants.lineage),
    base: wants.base === null ? undefined : holders.get(wants.base.lineage),
  };
}

/**
 * The best of `rooms` that has a slot and the bytes, or `undefined`: where the job is soonest as far as it was, by fetching checkpoints or running steps
 * again; else who holds the furthest checkpoint of the job's own; else who holds what it goes on from; else whose slots are used least (which spreads jobs); then the lower load, then who was given something longest ago, then the id.
 * `rooms` are in the order of ids; those in `without` are left out.
 */
export function chooseRoom(
  rooms: readonly AgentRoom[],
  bytes: number,
  affinity: Affinity,
  without: ReadonlySet<AgentId>,
): AgentRoom | undefined {
  let best: AgentRoom | undefined;
  for (const room of rooms) {
    if (!hasSlot(room) || room.freeBytes < bytes) continue;
    if (without.size > 0 && without.has(room.agent.id)) continue;
    if (best === undefined || isBetter(room, best, affinity)) best = room;
  }
  return best;
}

/** Estimates are not so good that a few seconds could decide. Who has everything is the only one in class 0. */
const COST_CLASS_MS = 5_000;

function costClass({ agent }: AgentRoom, { costOf }: Affinity): number {
  return costOf === null ? 0 : Math.ceil(costOf(agent).costMs / COST_CLASS_MS);
}

function isBetter(room: AgentRoom, best: AgentRoom, affinity: Affinity): boolean {
  const cost = costClass(room, affinity) - costClass(best, affinity);
  if (cost !== 0) return cost < 0;
  const held = heldBy(room, affinity.own) - heldBy(best, affinity.own);
  if (held !== 0) return held > 0;
  const base =
    Number(affinity.base?.has(room.agent.id) ?? false) - Number(affinity.base?.has(best.agent.id) ?? false);
  if (base !== 0) return base > 0;
  const used = room.running * best.agent.slots - best.running * room.agent.slots;
  if (used !== 0) return used < 0;
  const load = room.agent.cpuLoad - best.agent.cpuLoad;
  return load === 0 ? room.lastAssignedAt < best.lastAssignedAt : load < 0;
}

function heldBy(room: AgentRoom, held: Affinity['own']): number {
  return held?.get(room.agent.id) ?? -1;
}

/** Why `chosen` was taken of the `able` ones: what a person asks who sees where a job went. */
export function describeChoice(chosen: AgentRoom, able: number, affinity: Affinity): string {
  const carried = affinity.costOf === null ? '' : describeCarryOver(affinity.costOf(chosen.agent));
  if (carried !== '') return carried;
  if (affinity.own?.has(chosen.agent.id) === true) return 'holds the newest checkpoint of the job';
  if (affinity.base?.has(chosen.agent.id) === true) return 'holds the state that the job goes on from';
  if (able === 1) return 'the only agent that matches';
  return `${chosen.running} of ${chosen.agent.slots} slots in use, the least busy of ${able} agents that match`;
}
