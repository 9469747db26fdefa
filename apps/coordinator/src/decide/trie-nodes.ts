import type { AgentId, BuildId, Holder, TrieNode } from '#libs/contracts';
import type { BuildWithoutKeys, HeldCheckpointRow, StateHolders, StateShare, TrieState } from '#libs/store';
import { laneOf } from '../builds/lane-of.js';

/** What nodes are shown with, whatever they are of. */
export interface TrieFacts {
  /** Agents that are not revoked. */
  readonly agents: ReadonlyMap<AgentId, { readonly name: string; readonly isLost: boolean }>;
  readonly isInUse: (agent: AgentId, build: BuildId) => boolean;
}

export interface StateFacts {
  readonly holders: readonly StateHolders[];
  readonly shares: readonly StateShare[];
  readonly isPinned: boolean;
  readonly areaBytes: number | null;
  readonly children: number;
  /** Counted up to one more than `MOST_COUNTED`. */
  readonly below: number;
}

/** Counting what is below a node ends there. */
export const MOST_COUNTED = 100;

/** More are counted, not named. */
const MOST_DISTRIBUTIONS = 5;

export function stateNode(
  { key, step, newestAt }: TrieState,
  { holders, shares, isPinned, areaBytes, children, below }: StateFacts,
  facts: TrieFacts,
): TrieNode {
  const [any] = holders;
  return {
    ...{ id: key, kind: 'state', step, variant: null, newestAt, areaBytes, children },
    ...counted(below),
    before: stepInFront(any?.label ?? ''),
    lane: laneOf(any?.workspace ?? ''),
    distributions: shares.slice(0, MOST_DISTRIBUTIONS).map(({ distribution }) => distribution),
    builds: sumOf(shares, ({ builds }) => builds),
    variants: sumOf(shares, ({ variants }) => variants),
    holders: holdersOf(holders, facts),
    pinned: isPinned,
    inUse: holders.some(({ agentId, buildId }) => facts.isInUse(agentId, buildId)),
    checkpoint: bestOf(holders, facts)?.id ?? null,
  };
}

/** What is held of a build without step keys. */
export function buildNode(
  { build, distribution, checkpoints, variants, newestAt }: BuildWithoutKeys,
  holders: readonly AgentId[],
  isPinned: boolean,
  facts: TrieFacts,
): TrieNode {
  return {
    ...{ id: build, kind: 'build', step: null, before: null, lane: '', variant: null, newestAt },
    distributions: distribution === '' ? [] : [distribution],
    ...{ builds: 1, variants },
    holders: holdersOf(
      holders.map((agentId) => ({ agentId })),
      facts,
    ),
    pinned: isPinned,
    inUse: holders.some((agent) => facts.isInUse(agent, build)),
    ...{ areaBytes: null, checkpoint: null, children: checkpoints, ...counted(checkpoints) },
  };
}

/** One checkpoint without a step key, by all that hold it. */
export function checkpointNode(
  rows: readonly [HeldCheckpointRow, ...HeldCheckpointRow[]],
  isPinned: boolean,
  facts: TrieFacts,
): TrieNode {
  const [first] = rows;
  const { buildId, id, variant, workspace, label } = first;
  return {
    id: `${buildId}.${id}`,
    kind: 'checkpoint',
    ...{ step: null, before: stepInFront(label), lane: laneOf(workspace), variant },
    ...{
      distributions: [],
      builds: 1,
      variants: 1,
      areaBytes: null,
      checkpoint: id,
      children: 0,
      ...counted(0),
    },
    newestAt: Math.max(...rows.map(({ takenAt }) => takenAt)),
    holders: holdersOf(rows, facts),
    pinned: isPinned,
    inUse: rows.some(({ agentId }) => facts.isInUse(agentId, buildId)),
  };
}

/** `.step_X` is in front of step X. */
export function stepInFront(label: string): string | null {
  return label.startsWith('.step_') ? label.slice('.step_'.length) : null;
}

function counted(below: number): Pick<TrieNode, 'below' | 'countEnded'> {
  return { below: Math.min(below, MOST_COUNTED), countEnded: below > MOST_COUNTED };
}

function holdersOf(rows: readonly { readonly agentId: AgentId }[], { agents }: TrieFacts): Holder[] {
  return [...new Set(rows.map(({ agentId }) => agentId))]
    .map((agent) => {
      const { name = agent, isLost = true } = agents.get(agent) ?? {};
      return { agent, agentName: name, lost: isLost };
    })
    .toSorted((a, b) => (a.agentName < b.agentName ? -1 : 1));
}

function bestOf(holders: readonly StateHolders[], { agents }: TrieFacts): StateHolders | undefined {
  return holders.find(({ agentId }) => agents.get(agentId)?.isLost === false) ?? holders[0];
}

function sumOf<T>(all: readonly T[], of: (each: T) => number): number {
  return all.reduce((sum, each) => sum + of(each), 0);
}
