import { Injectable } from '@nestjs/common';
import {
  BuildId,
  FarmError,
  TrieNodeId,
  type AgentId,
  type CheckpointTrie,
  type StateHolding,
  type TrieLevel,
  type TrieNode,
  type TrieNodeDetail,
} from '#libs/contracts';
import {
  areaBytesOfStates,
  buildsGoneOnFrom,
  buildsWithoutKeys,
  checkpointsOfBuild,
  checkpointsOfState,
  checkpointsWithoutKeys,
  countStatesBelow,
  countStatesFrom,
  groupBy,
  heldAncestors,
  heldState,
  heldStates,
  holdingsOfStates,
  listAgents,
  listCheckpointPins,
  openAttempts,
  pinnedStates,
  sharesOfStates,
  variantsOfState,
  type HeldCheckpointRow,
  type TrieFilter,
  type TriePage,
  type TriePlace,
  type TrieState,
} from '#libs/store';
import { laneOf } from '../builds/lane-of.js';
import { buildNode, checkpointNode, MOST_COUNTED, stateNode, type TrieFacts } from '../decide/trie-nodes.js';
import { CollectCheckpoints } from '../loops/collect-checkpoints.js';
import { conditionOf } from '../scheduling/candidate-agents.js';
import { Clock, Store } from '../store.js';

export interface LevelAsked {
  /** `null`: the top. */
  readonly parent: TrieNodeId | null;
  readonly filter: Omit<TrieFilter, 'without'>;
  readonly after: TriePlace | null;
}

/** A level has so many nodes to a page. */
const PAGE = 50;
/** Where there is no choice, so many levels come at once. */
const MOST_LEVELS = 40;
/** Checkpoints and variants that are named for one node. */
const MOST_NAMED = 300;

/** What the page needs to know of the farm for its answers. */
interface Scene {
  readonly filter: TrieFilter;
  readonly facts: TrieFacts;
  readonly isPinned: (row: Pick<HeldCheckpointRow, 'buildId' | 'variant'>) => boolean;
}

interface KnownLevel {
  readonly parent: TrieNodeId | null;
  readonly states: readonly TrieState[];
  readonly next: string | null;
}

/** The states that agents hold, as a trie by step key; level by level, since all of them are too many. */
@Injectable()
export class TrieViews {
  constructor(
    private readonly store: Store,
    private readonly collecting: CollectCheckpoints,
    private readonly clock: Clock,
  ) {}

  async levels({ parent, filter, after }: LevelAsked): Promise<CheckpointTrie> {
    const scene = await this.#scene(filter);
    const page = { after, limit: PAGE + 1 };
    if (parent !== null && !isKey(parent)) return { levels: [await this.#ofBuild(scene, parent, page)] };
    const known = await this.#statesBelow(scene, parent, page);
    const nodes = await this.#stateNodes(
      scene,
      known.flatMap(({ states }) => states),
    );
    const byId = new Map(nodes.map((node) => [node.id, node]));
    const levels = known.map(({ parent: of, states, next }) => {
      return { parent: of, nodes: states.flatMap(({ key }) => byId.get(key) ?? []), next };
    });
    const [first] = levels;
    if (parent === null && after === null) first?.nodes.push(...(await this.#builds(scene)));
    return { levels };
  }

  async detail(id: TrieNodeId): Promise<TrieNodeDetail> {
    const scene = await this.#scene({});
    if (isKey(id)) return await this.#ofState(scene, id);
    const [build, checkpoint] = id.split('.') as [BuildId, string?];
    const [node] = await this.#builds(scene, build);
    if (node === undefined) throw nothingHeld(id);
    if (checkpoint === undefined) {
      return { node, path: [], holdings: [], holdingsInAll: 0, sharedBy: [] };
    }
    const { db } = this.store;
    const [first, ...more] = await checkpointsOfBuild(db, build, [checkpoint], scene.filter);
    if (first === undefined) throw nothingHeld(id);
    const rows = [first, ...more] as const;
    const own = checkpointNode(rows, scene.isPinned(first), scene.facts);
    return {
      node: own,
      path: [build],
      holdings: await this.#holdings(scene, rows),
      holdingsInAll: rows.length,
      sharedBy: [{ build, name: node.distributions[0] ?? '', variants: [first.variant] }],
    };
  }

  async #ofState(scene: Scene, key: string): Promise<TrieNodeDetail> {
    const { db } = this.store;
    const state = await heldState(db, key, scene.filter);
    const [node] = state === null ? [] : await this.#stateNodes(scene, [state]);
    if (node === undefined) throw nothingHeld(key);
    const { rows, count } = await checkpointsOfState(db, key, scene.filter, MOST_NAMED);
    const sharing = await variantsOfState(db, key, MOST_NAMED);
    return {
      node,
      path: [...(await heldAncestors(db, key, scene.filter))],
      holdings: await this.#holdings(scene, rows),
      holdingsInAll: count,
      sharedBy: [...groupBy(sharing, ({ build }) => build)].map(([build, own]) => ({
        build,
        name: own[0]?.distribution ?? '',
        variants: own.map(({ variant }) => variant),
      })),
    };
  }

  /** The level; then those below it, as long as there is one node to each. */
  async #statesBelow(
    { filter }: Scene,
    parent: string | null,
    page: TriePage,
  ): Promise<readonly KnownLevel[]> {
    const levels: KnownLevel[] = [];
    for (let at = parent; levels.length < MOST_LEVELS;) {
      const isFirst = levels.length === 0;
      const found = await heldStates(this.store.db, at, filter, isFirst ? page : { ...page, after: null });
      if (found.length === 0 && !isFirst) break;
      const states = found.slice(0, PAGE);
      const last = states.at(-1);
      const next = found.length > PAGE && last !== undefined ? `${last.newestAt}.${last.key}` : null;
      levels.push({ parent: at, states, next });
      if (last === undefined || states.length > 1 || (isFirst && page.after !== null)) break;
      at = last.key;
    }
    return levels;
  }

  async #stateNodes({ filter, facts }: Scene, states: readonly TrieState[]): Promise<TrieNode[]> {
    const { db } = this.store;
    const keys = states.map(({ key }) => key);
    const [holders, shares, pinned, areaBytes, children] = await Promise.all([
      holdingsOfStates(db, keys, filter),
      sharesOfStates(db, keys),
      pinnedStates(db, keys),
      areaBytesOfStates(db, keys, filter),
      countStatesFrom(db, keys, filter),
    ]);
    const holdersOf = groupBy(holders, ({ key }) => key);
    const sharesOf = groupBy(shares, ({ key }) => key);
    const below = await this.#below(states, children, filter);
    return states.map((state) => {
      const { key } = state;
      const own = {
        holders: holdersOf.get(key) ?? [],
        shares: sharesOf.get(key) ?? [],
        isPinned: pinned.has(key),
        areaBytes: areaBytes.get(key) ?? null,
        children: children.get(key) ?? 0,
        below: below.get(key) ?? 0,
      };
      return stateNode(state, own, facts);
    });
  }

  /** Counted once where one of the states leads to the next. */
  async #below(
    states: readonly TrieState[],
    children: ReadonlyMap<string, number>,
    filter: TrieFilter,
  ): Promise<ReadonlyMap<string, number>> {
    const below = new Map<string, number>();
    const most = MOST_COUNTED + 1;
    for (const { key } of states.toReversed()) {
      const direct = children.get(key) ?? 0;
      const only = direct === 1 ? states.find(({ parent }) => parent === key) : undefined;
      const known = only === undefined ? undefined : below.get(only.key);
      if (known !== undefined) below.set(key, Math.min(most, known + 1));
      else if (direct > 0) below.set(key, await countStatesBelow(this.store.db, key, filter, most));
      else below.set(key, 0);
    }
    return below;
  }

  /** What is held without step keys, by build: the newest builds. */
  async #builds({ filter, facts, isPinned }: Scene, build?: BuildId): Promise<readonly TrieNode[]> {
    const { db } = this.store;
    const page = { after: null, limit: PAGE };
    const of = build === undefined ? filter : { ...filter, build };
    const found = await buildsWithoutKeys(db, of, page);
    return found.map((each) =>
      buildNode(each, each.agents, isPinned({ buildId: each.build, variant: '' }), facts),
    );
  }

  async #ofBuild(scene: Scene, parent: TrieNodeId, page: TriePage): Promise<TrieLevel> {
    const build = BuildId.safeParse(parent);
    if (!build.success) return { parent, nodes: [], next: null };
    const rows = await checkpointsWithoutKeys(this.store.db, build.data, scene.filter, page);
    const groups = [...groupBy(rows, ({ id }) => id).values()];
    const nodes = groups
      .slice(0, PAGE)
      .flatMap(([first, ...more]) =>
        first === undefined ? [] : [checkpointNode([first, ...more], scene.isPinned(first), scene.facts)],
      );
    const last = nodes.at(-1);
    const next = groups.length > PAGE && last !== undefined ? `${last.newestAt}.${last.checkpoint}` : null;
    return { parent, nodes, next };
  }

  async #holdings({ facts, isPinned }: Scene, rows: readonly HeldCheckpointRow[]): Promise<StateHolding[]> {
    const { order } = await this.collecting.held();
    const areas = new Map(
      order.map((each) => [areaKey(each.area.agent, each.area.build, each.area.variant), each]),
    );
    return rows.map((row) => {
      const found = areas.get(areaKey(row.agentId, row.buildId, row.variant));
      const agent = facts.agents.get(row.agentId);
      return {
        agent: row.agentId,
        agentName: agent?.name ?? row.agentId,
        lost: agent?.isLost ?? true,
        build: row.buildId,
        name: row.distribution ?? '',
        user: row.user ?? '',
        variant: row.variant,
        lane: laneOf(row.workspace),
        checkpoint: row.id,
        label: row.label,
        takenAt: row.takenAt,
        usedBytes: found?.area.usedBytes ?? null,
        checkpointsInArea: found?.area.checkpoints ?? 0,
        as: found?.as ?? null,
        inUse: found?.area.isInUse ?? false,
        going: found?.area.isGoing ?? false,
        pinned: isPinned(row),
        trusted: row.trusted === 1,
      };
    });
  }

  async #scene(filter: LevelAsked['filter']): Promise<Scene> {
    const { db } = this.store;
    const now = this.clock.now();
    const [rows, open, needed, pins] = await Promise.all([
      listAgents(db),
      openAttempts(db),
      buildsGoneOnFrom(db),
      listCheckpointPins(db),
    ]);
    const works = new Set(open.map(({ agent_id, build_id }) => `${agent_id} ${build_id}`));
    const pinned = new Set(pins.map(({ build, variant }) => `${build} ${variant ?? ''}`));
    const agents = new Map<AgentId, { readonly name: string; readonly isLost: boolean }>();
    const without: AgentId[] = [];
    for (const row of rows)
      if (row.revokedAt === null)
        agents.set(row.id, { name: row.name, isLost: conditionOf(row, now) === 'lost' });
      else without.push(row.id);
    return {
      filter: { ...filter, without },
      facts: { agents, isInUse: (agent, build) => works.has(`${agent} ${build}`) || needed.has(build) },
      isPinned: ({ buildId, variant }) => pinned.has(`${buildId} `) || pinned.has(`${buildId} ${variant}`),
    };
  }
}

function isKey(id: TrieNodeId): boolean {
  return !id.startsWith('b-');
}

function areaKey(agent: AgentId, build: BuildId, variant: string): string {
  return `${agent} ${build}.${variant}`;
}

function nothingHeld(id: string): FarmError {
  return new FarmError(
    'NOT_FOUND',
    `no agent holds the state ${id}`,
    'It was collected or dropped, or its agents were revoked. distrofarm checkpoints list shows what is held.',
  );
}
