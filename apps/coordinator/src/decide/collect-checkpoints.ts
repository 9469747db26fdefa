import type { AgentId, BuildId, CollectedAs } from '#libs/contracts';
import { counted, humanSize } from './amounts.js';
import {
  collectionOrder,
  Copies,
  keptFor,
  type HeldArea,
  type HeldBuild,
  type Holdings,
  type KeepCheckpoints,
  type RankedArea,
} from './collection-order.js';

export interface AgentSpace {
  readonly id: AgentId;
  readonly name: string;
  readonly freeBytes: number;
  /** With less than this, checkpoints go before their time. */
  readonly floorBytes: number;
  /** What a job there needs beside that. */
  readonly wanted?: WantedRoom | undefined;
}

export interface WantedRoom {
  readonly bytes: number;
  /** With less than this it is not helped. */
  readonly leastBytes: number;
}

export interface CheckpointPolicy extends KeepCheckpoints {
  /** What checkpoints may take on each agent, and on all together; `null`: whatever there is room for. */
  readonly agentBudgetBytes: number | null;
  readonly farmBudgetBytes: number | null;
}

export interface Removal {
  readonly agent: AgentId;
  readonly build: BuildId;
  readonly variant: string;
  readonly as: CollectedAs;
  readonly usedBytes: number | null;
  /** One sentence, for the log and for people. */
  readonly why: string;
}

/** Room that is wanted and cannot be made. */
export interface Shortage {
  /** `null`: of the farm as a whole. */
  readonly agent: AgentId | null;
  readonly missingBytes: number;
  /** What would be free without the pins of people. */
  readonly pinnedBytes: number;
  readonly why: string;
}

export interface CheckpointCollection {
  /** Those that go first come first. */
  readonly removals: readonly Removal[];
  readonly shortages: readonly Shortage[];
}

/**
 * Which checkpoints go now, of these agents: what is too old; then, in the order of `collectionOrder`, as much as it takes until each agent has the room that it should
 * have, checkpoints take no more on it than they may, and no more on all of them. What is on its way already counts. What was not measured yet may be all that is
 * wanted: behind it nothing more goes for the sake of room before it is seen what it made. It counts for no budget. For a job that would not be helped all the same, nothing goes.
 */
export function collectCheckpoints(
  held: Holdings,
  agents: readonly AgentSpace[],
  policy: CheckpointPolicy,
  now: number,
): CheckpointCollection {
  const concerned = new Set(agents.map(({ id }) => id));
  const order = collectionOrder(held, policy, now).filter(({ area }) => concerned.has(area.agent));
  const copies = new Copies(held.areas, held.staying);
  const going = new Set(held.areas.filter(({ isGoing }) => isGoing));
  const removals: Removal[] = [];
  const take = ({ area }: RankedArea): void => {
    going.add(area);
    copies.giveUp(area);
  };
  const leave = ({ area }: RankedArea): void => {
    going.delete(area);
    copies.takeBack(area);
  };
  const builds = new Map(held.builds.map((build) => [build.id, build]));
  for (const ranked of order.filter(({ as }) => as === 'old')) {
    take(ranked);
    removals.push(removalOf(ranked, tooOld(builds.get(ranked.area.build), policy, now)));
  }
  const shortages = wants(held, agents, policy).flatMap((want) => {
    const chosen: RankedArea[] = [];
    let missing = want.bytes(going);
    for (const ranked of order) {
      if (missing <= 0) break;
      const { area, as } = ranked;
      if (going.has(area) || want.frees(area) === 0 || (as === 'copy' && !copies.areElsewhere(area)))
        continue;
      take(ranked);
      chosen.push(ranked);
      missing -= want.frees(area);
    }
    if (missing > want.mayMissBytes) chosen.forEach(leave);
    else removals.push(...chosen.map((ranked) => removalOf(ranked, want.why)));
    return missing <= 0 ? [] : [shortageOf(want, missing, held)];
  });
  return { removals, shortages };
}

function removalOf({ area, as }: RankedArea, why: string): Removal {
  const { agent, build, variant, usedBytes } = area;
  return { agent, build, variant, as, usedBytes, why };
}

/** Room that is to be made. */
interface Want {
  readonly agent: AgentId | null;
  /** What is still missing when these have gone. */
  readonly bytes: (going: ReadonlySet<HeldArea>) => number;
  /** How much less is missing when the area goes. */
  readonly frees: (area: HeldArea) => number;
  /** When more than this is missing in the end, nothing goes for it. */
  readonly mayMissBytes: number;
  readonly why: string;
}

function wants(
  { areas }: Holdings,
  agents: readonly AgentSpace[],
  { agentBudgetBytes, farmBudgetBytes }: CheckpointPolicy,
): readonly Want[] {
  const own = new Map<AgentId, HeldArea[]>(agents.map(({ id }) => [id, []]));
  for (const area of areas) own.get(area.agent)?.push(area);
  const floors = agents.flatMap((agent) => {
    const areasThere = own.get(agent.id) ?? [];
    const { floorBytes, wanted } = agent;
    const floor = roomOn(agent, areasThere, { bytes: floorBytes, leastBytes: -Infinity });
    return wanted === undefined ? [floor] : [floor, roomOn(agent, areasThere, wanted)];
  });
  const budgets = agents.flatMap(({ id, name }) =>
    agentBudgetBytes === null ? [] : [budgetOf(id, `on ${name}`, own.get(id) ?? [], agentBudgetBytes)],
  );
  const farm = farmBudgetBytes === null ? [] : [budgetOf(null, 'on all agents', areas, farmBudgetBytes)];
  return [...floors, ...budgets, ...farm];
}

function roomOn(
  { id, name, freeBytes }: AgentSpace,
  own: readonly HeldArea[],
  { bytes, leastBytes }: WantedRoom,
): Want {
  const frees = ({ agent, usedBytes }: HeldArea): number => (agent === id ? (usedBytes ?? Infinity) : 0);
  return {
    agent: id,
    bytes: (going) => bytes - freeBytes - sumOf(own.filter((area) => going.has(area)).map(frees)),
    frees,
    mayMissBytes: bytes - leastBytes,
    why: `${name} has ${humanSize(freeBytes)} free, less than ${humanSize(bytes)}`,
  };
}

function budgetOf(agent: AgentId | null, where: string, own: readonly HeldArea[], budgetBytes: number): Want {
  const frees = (area: HeldArea): number =>
    agent === null || area.agent === agent ? (area.usedBytes ?? 0) : 0;
  return {
    agent,
    bytes: (going) => sumOf(own.filter((area) => !going.has(area)).map(frees)) - budgetBytes,
    frees,
    mayMissBytes: Infinity,
    why: `checkpoints take ${humanSize(sumOf(own.map(frees)))} ${where}, more than ${humanSize(budgetBytes)}`,
  };
}

function sumOf(bytes: readonly number[]): number {
  return bytes.reduce((sum, each) => sum + each, 0);
}

function shortageOf({ agent, frees, why }: Want, missingBytes: number, { areas }: Holdings): Shortage {
  const pinned = areas.filter((area) => area.isPinned && frees(area) > 0);
  const pinnedBytes = sumOf(pinned.map(({ usedBytes }) => usedBytes ?? 0));
  const pins = pinned.length === 0 ? '' : `; pins keep ${humanSize(pinnedBytes)} there`;
  return {
    agent,
    missingBytes: Math.ceil(missingBytes),
    pinnedBytes,
    why: `${why}, and ${humanSize(missingBytes)} of that cannot be made: all else is in use or kept${pins}`,
  };
}

function tooOld(build: HeldBuild | undefined, policy: CheckpointPolicy, now: number): string {
  if (build === undefined) return 'its build was collected';
  const { state, endedAt } = build;
  const age = inDays(now - (endedAt ?? now));
  return `it is ${state} since ${age}, and its checkpoints are kept for ${inDays(keptFor(state, policy))}`;
}

function inDays(ms: number): string {
  return counted(Math.floor(ms / 86_400_000), 'day');
}
