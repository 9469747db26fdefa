import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import type { AgentId, BuildId, CollectedAs } from '#libs/contracts';
import {
  addDropping,
  areasToBeginWith,
  buildsGoneOnFrom,
  buildsOfAreas,
  checkpointsOfReplicated,
  findAgent,
  groupBy,
  heldAreas,
  inChunks,
  listAgents,
  listCheckpointPins,
  lockBuild,
  openAttempts,
  removeCheckpointsOfArea,
  waitingJobs,
  type AgentRow,
  type AreaOnAgent,
  type Schema,
} from '#libs/store';
import { CoordinatorConfig } from '../config.js';
import { isAtRest } from '../decide/build-state.js';
import {
  collectCheckpoints,
  type AgentSpace,
  type CheckpointCollection,
  type Removal,
  type WantedRoom,
} from '../decide/collect-checkpoints.js';
import { collectionOrder, type HeldArea, type Holdings } from '../decide/collection-order.js';
import { isStaying } from '../decide/plan-replicas.js';
import { roomForWaiting } from '../decide/room-for-waiting.js';
import { spaceFloorOf } from '../decide/space-floor.js';
import { Log } from '../log.js';
import { candidateOf, conditionOf } from '../scheduling/candidate-agents.js';
import { Clock, Store } from '../store.js';
import { Work, type Changes } from '../work.js';

/** On SQLite nobody else writes meanwhile, and agents' calls wait. */
const AREAS_PER_TRANSACTION = 50;

export interface CollectionScope {
  /** Only there, whatever the farm's checkpoints take together. */
  readonly agent?: AgentRow | undefined;
  /** Make so much room on each agent concerned, where its floor is not more. */
  readonly freeBytes?: number | undefined;
  /** What a job on that agent needs. */
  readonly wanted?: WantedRoom | undefined;
}

export interface HeldNow extends Holdings {
  readonly agents: readonly AgentRow[];
  readonly order: readonly { readonly area: HeldArea; readonly as: CollectedAs | null }[];
}

/** Retention of checkpoints: decides (collectCheckpoints), and tells agents what to drop. */
@Injectable()
export class CollectCheckpoints {
  constructor(
    private readonly store: Store,
    private readonly work: Work,
    private readonly config: CoordinatorConfig,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** By itself. */
  async pass(): Promise<void> {
    const { shortages } = await this.collect({});
    for (const { agent, why } of shortages)
      this.log.warn({ component: 'collect', agent, why }, 'room cannot be made');
  }

  /** What `collect` would do now. */
  async plan({ agent, freeBytes = 0, wanted }: CollectionScope): Promise<CheckpointCollection> {
    const now = this.clock.now();
    const rows = (await listAgents(this.store.db)).filter(({ revokedAt }) => revokedAt === null);
    const candidates = rows.map((row) => candidateOf(row, [], now));
    const waiting = roomForWaiting(await waitingJobs(this.store.db), candidates);
    const concerned = rows.filter(({ id }) => agent === undefined || id === agent.id);
    const { keepFinishedMs, keepFailedMs, keepNewestCheckpoints, agentBudgetBytes } = this.config;
    const farmBudgetBytes = agent === undefined ? this.config.farmBudgetBytes : null;
    return collectCheckpoints(
      await this.#holdings(rows, now),
      // Who asks for an agent knows what is free there just now.
      concerned.map((row) =>
        spaceOf(row.id === agent?.id ? agent : row, freeBytes, wanted ?? forWaiting(waiting.get(row.id))),
      ),
      { keepFinishedMs, keepFailedMs, keepNewestCheckpoints, agentBudgetBytes, farmBudgetBytes },
      now,
    );
  }

  /** What was removed: less than planned where something came into use in between. */
  async collect(scope: CollectionScope): Promise<CheckpointCollection> {
    const { removals, shortages } = await this.plan(scope);
    return { removals: await this.remove(removals), shortages };
  }

  /** Tells agents to drop them. Resolves to those that may still go. */
  async remove(removals: readonly Removal[]): Promise<readonly Removal[]> {
    const removed: Removal[] = [];
    for (const [agent, own] of groupBy(removals, (removal) => removal.agent)) {
      await inChunks(own, AREAS_PER_TRANSACTION, async (some) => {
        removed.push(...(await this.#drop(agent, some)));
      });
    }
    for (const { agent, build, variant, as, usedBytes, why } of removed)
      this.log.info({ component: 'collect', agent, build, variant, as, usedBytes, why }, 'checkpoints go');
    return removed;
  }

  /** All that is held, what goes first first, and behind it what may not go. */
  async held(): Promise<HeldNow> {
    const now = this.clock.now();
    const agents = (await listAgents(this.store.db)).filter(({ revokedAt }) => revokedAt === null);
    const holdings = await this.#holdings(agents, now);
    const order = collectionOrder(holdings, this.config, now);
    const mayGo = new Set(order.map(({ area }) => area));
    const stays = holdings.areas.filter((area) => !mayGo.has(area)).map((area) => ({ area, as: null }));
    return { ...holdings, agents, order: [...order, ...stays] };
  }

  async #holdings(agents: readonly AgentRow[], now: number): Promise<Holdings> {
    const { db } = this.store;
    // First: a build that is not found is one that was collected.
    const areas = await heldAreas(db);
    const [builds, open, needed, begun, pins, replicated] = await Promise.all([
      buildsOfAreas(db),
      openAttempts(db),
      buildsGoneOnFrom(db),
      areasToBeginWith(db),
      listCheckpointPins(db),
      checkpointsOfReplicated(db),
    ]);
    const works = new Set(open.map(({ agent_id, build_id }) => `${agent_id} ${build_id}`));
    const toBegin = new Set(begun.map(placeOf));
    const pinned = new Set(pins.map(({ build, variant }) => `${build} ${variant ?? ''}`));
    const going = new Map(agents.map(({ id, dropping }) => [id, new Set(dropping)]));
    const copied = groupBy(replicated, ({ agentId, buildId, variant }) => `${agentId} ${buildId}.${variant}`);
    const held = areas.flatMap(
      ({ agentId: agent, buildId: build, variant, ...area }): readonly HeldArea[] => {
        const dropping = going.get(agent);
        // The agent was revoked.
        if (dropping === undefined) return [];
        return [
          {
            ...{ agent, build, variant },
            ...area,
            copied: (copied.get(`${agent} ${build}.${variant}`) ?? []).map(({ id }) => id),
            isInUse:
              works.has(`${agent} ${build}`) ||
              needed.has(build) ||
              toBegin.has(placeOf({ agent, build, variant })),
            isPinned: pinned.has(`${build} `) || pinned.has(`${build} ${variant}`),
            isGoing: dropping.has(`${build}.${variant}`),
          },
        ];
      },
    );
    const staying = new Set(agents.filter((row) => isStaying(conditionOf(row, now))).map(({ id }) => id));
    return { areas: held, builds, staying };
  }

  /** Some of one agent, in one transaction. Resolves to what may still go. */
  async #drop(agent: AgentId, removals: readonly Removal[]): Promise<readonly Removal[]> {
    return await this.work.change(async (tx, changes) => {
      const mayGo = await stillToGo(tx, agent, removals);
      await addDropping(
        tx,
        agent,
        mayGo.map(({ build, variant }) => `${build}.${variant}`),
      );
      for (const removal of mayGo.filter(({ as }) => as === 'copy'))
        await this.#giveUpCopy(tx, changes, removal);
      changes.wakeAgents.add(agent);
      return mayGo;
    });
  }

  async #giveUpCopy(
    tx: Transaction<Schema>,
    changes: Changes,
    { agent, build, variant, why }: Removal,
  ): Promise<void> {
    // At once: nobody is to be sent there for it.
    await removeCheckpointsOfArea(tx, agent, build, variant);
    const name = (await findAgent(tx, agent))?.name ?? agent;
    const text = `${name} gives up its copy of ${variant}: ${why}`;
    changes.event('warning', { build, agent }, { variant, text });
  }
}

/** What has come into use, or was pinned, since it was chosen stays. */
async function stillToGo(
  tx: Transaction<Schema>,
  agent: AgentId,
  removals: readonly Removal[],
): Promise<readonly Removal[]> {
  const builds = [...new Set(removals.map(({ build }) => build))].toSorted();
  const resting = new Set<BuildId>();
  // Whoever gives a job of it out, or resumes it, locks it, too.
  for (const id of builds) {
    const build = await lockBuild(tx, id);
    if (build !== null && isAtRest(build.state)) resting.add(id);
  }
  const works = new Set((await openAttempts(tx, agent)).map(({ build_id }) => build_id));
  const needed = await buildsGoneOnFrom(tx);
  const toBegin = new Set((await areasToBeginWith(tx)).map(placeOf));
  const pins = await listCheckpointPins(tx);
  const isPinned = ({ build, variant }: Removal): boolean =>
    pins.some((pin) => pin.build === build && (pin.variant === null || pin.variant === variant));
  return removals.filter(
    (removal) =>
      (removal.as === 'copy' || resting.has(removal.build)) &&
      !works.has(removal.build) &&
      !needed.has(removal.build) &&
      !toBegin.has(placeOf(removal)) &&
      !isPinned(removal),
  );
}

function placeOf({ agent, build, variant }: AreaOnAgent): string {
  return `${agent} ${build}.${variant}`;
}

/** It waits until all of it is there. */
function forWaiting(bytes: number | undefined): WantedRoom | undefined {
  return bytes === undefined ? undefined : { bytes, leastBytes: bytes };
}

function spaceOf(
  { id, name, facts }: AgentRow,
  askedBytes: number,
  wanted: WantedRoom | undefined,
): AgentSpace {
  const floorBytes = Math.max(spaceFloorOf(facts), askedBytes);
  return { id, name, freeBytes: facts.freeBytes, floorBytes, wanted };
}
