import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import {
  AGENT_PROTOCOL,
  FarmError,
  newId,
  SECRET_PREFIX,
  type AgentSettings,
  type AreaName,
  type AttemptId,
  type EnrolRequest,
  type EnrolResponse,
  type Heartbeat,
  type HeartbeatResponse,
  type Hello,
  type HelloResponse,
} from '#libs/contracts';
import { AgentInbox } from '#libs/queue';
import {
  findAgent,
  findAgentByName,
  findAttempt,
  hashSecret,
  insertAgent,
  keepAreaSizes,
  leasesOfAgent,
  newSecret,
  openAttempts,
  recordAreaSizes,
  recordHeartbeat,
  recordHello,
  removeAreaSize,
  removeCheckpointsOfArea,
  removeDropping,
  renewLeases,
  releaseAsks,
  releaseListings,
  replaceCheckpoints,
  uncollectedBuilds,
  addDropping,
  useEnrolment,
  type AgentLease,
  type AgentRow,
  type AreaSize,
  type AttemptRow,
  type Schema,
} from '#libs/store';
import { checkpointOf } from '../attempts/checkpoint-of.js';
import { EndAttempts } from '../attempts/end-attempts.js';
import { CoordinatorConfig } from '../config.js';
import { spaceFloorOf } from '../decide/space-floor.js';
import { HandOvers } from '../scheduling/hand-overs.js';
import { Work, type Changes } from '../work.js';
import { agentSettings } from './agent-settings.js';
import { splitArea } from './split-area.js';

/** A third of what the inbox locks a message for; more often, and a thousand agents keep Redis busy with it. */
const LOCK_RENEWAL_MS = 40_000;

/** An assignment that its agent does not know of two heartbeats after it fetched it never reached it. */
const HEARTBEATS_TO_LEARN = 2;

/** What agents say about themselves, and what they are told in answer. */
@Injectable()
export class AgentSessions {
  constructor(
    private readonly work: Work,
    private readonly config: CoordinatorConfig,
    private readonly endings: EndAttempts,
    private readonly inbox: AgentInbox,
    private readonly handOvers: HandOvers,
  ) {}

  get settings(): AgentSettings {
    return agentSettings(this.config);
  }

  /** Makes an agent of whoever has an unused enrolment token. Throws NOT_AUTHENTICATED and CONFLICT. */
  async enrol(request: EnrolRequest): Promise<EnrolResponse> {
    const key = newSecret(SECRET_PREFIX.agent);
    const id = newId('a');
    const name = await this.work.change(async (tx, changes, now) => {
      const enrolment = await useEnrolment(tx, hashSecret(request.token), id, now);
      if (enrolment.kind !== 'used') {
        throw new FarmError(
          'NOT_AUTHENTICATED',
          `the enrolment token is ${enrolment.kind === 'spent' ? 'used already' : enrolment.kind}`,
          'Make a new one: distrofarm agents enrol',
        );
      }
      const name = enrolment.name ?? request.name;
      if ((await findAgentByName(tx, name)) !== null) {
        throw new FarmError(
          'CONFLICT',
          `there is an agent "${name}" already`,
          'Choose another name: --name NAME',
        );
      }
      await insertAgent(tx, { id, name, keyHash: hashSecret(key), facts: request.facts }, now);
      changes.event('agent-enrolled', { agent: id }, { name, by: enrolment.createdBy });
      return name;
    });
    return { agent: id, name, key, farm: this.config.farm };
  }

  /** A process of an agent has started: what another process of it ran is over, but for what its spool still has to tell. */
  async hello(agent: AgentRow, hello: Hello): Promise<HelloResponse> {
    if (hello.protocol !== AGENT_PROTOCOL) {
      throw new FarmError(
        'CONFLICT',
        `agent ${agent.name} speaks protocol ${hello.protocol}, the coordinator ${AGENT_PROTOCOL}`,
        'Run the same version of distrofarm on both.',
      );
    }
    const drop = await this.work.change(async (tx, changes, now) => {
      // What the process has told since its first hello is newer than a hello that comes again.
      const isRepeated = (await findAgent(tx, agent.id))?.instance === hello.instance;
      await recordHello(
        tx,
        agent.id,
        { instance: hello.instance, facts: hello.facts, peer: hello.peer },
        now,
      );
      const forgotten = await this.#renewSpooled(tx, agent, hello, now);
      if (!isRepeated) {
        await releaseAsks(tx, agent.id);
        await releaseListings(tx, agent.id);
        await replaceCheckpoints(
          tx,
          agent.id,
          hello.holdings.flatMap((holding) => checkpointOf(holding) ?? []),
        );
        await keepAreaSizes(
          tx,
          agent.id,
          hello.areas.map((area) => sizeOf(area, 0)),
        );
        const reason = `agent ${agent.name} was restarted`;
        for (const attempt of forgotten) await this.#endLost(tx, changes, attempt, now, reason);
      }
      changes.event(
        'agent-connected',
        { agent: agent.id },
        { name: agent.name, version: hello.facts.version },
      );
      return await areasToDrop(tx, agent, hello.areas);
    });
    return { agent: agent.id, name: agent.name, farm: this.config.farm, settings: this.settings, drop };
  }

  /** Resolves to what else the agent was to run. */
  async #renewSpooled(
    tx: Transaction<Schema>,
    agent: AgentRow,
    hello: Hello,
    now: number,
  ): Promise<readonly AttemptRow[]> {
    const spooled = new Set(hello.spooled.map(({ attempt }) => attempt));
    const open = (await openAttempts(tx, agent.id)).filter(({ state }) => state === 'running');
    const renewed = open.map(({ id }) => id).filter((id) => spooled.has(id));
    await renewLeases(tx, agent.id, renewed, now + this.config.leaseMs);
    return open.filter(({ id }) => !spooled.has(id));
  }

  async #endLost(
    tx: Transaction<Schema>,
    changes: Changes,
    attempt: AttemptRow,
    now: number,
    reason: string,
  ): Promise<void> {
    const end = { kind: 'infrastructure', fault: 'lost', at: null, reason } as const;
    await this.endings.end(tx, changes, attempt, end, now, { agentRestarted: true });
  }

  /** Renews the leases of what the agent says it runs and is its own. Throws CONFLICT when another process has its key. */
  async heartbeat(agent: AgentRow, beat: Heartbeat): Promise<HeartbeatResponse> {
    requireInstance(agent, beat.instance);
    const { leases, answers, now } = await this.work.change(async (tx, changes, now) => {
      const leases = await leasesOfAgent(tx, agent.id);
      const answers = answersTo(beat, leases);
      // Attempts before agents: everybody locks in this order.
      await renewLeases(tx, agent.id, grantedOf(answers), now + this.config.leaseMs);
      await this.#noteHeartbeat(tx, changes, agent, beat, now);
      return { leases, answers, now };
    });
    if (isLockRenewalDue(agent.lastSeenAt ?? 0, now)) this.#mirrorLocks(agent, beat, grantedOf(answers));
    await this.#endNeverArrived(agent, beat, leases, now);
    const given = await this.#givenAway(agent, leases);
    return {
      settings: this.settings,
      leases: answers.map((answer) => {
        const handOver = given.get(answer.attempt);
        return handOver === undefined ? answer : { ...answer, handOver };
      }),
      drop: [...agent.dropping] as AreaName[],
    };
  }

  /** Why it is to stop at the next boundary, of each attempt that another agent would take over. */
  async #givenAway(agent: AgentRow, leases: readonly AgentLease[]): Promise<ReadonlyMap<AttemptId, string>> {
    const reasons = await this.handOvers.reasonsFor(
      agent,
      leases.map(({ job }) => job),
    );
    return new Map(
      leases.flatMap(({ id, job }) => {
        const reason = reasons.get(job);
        return reason === undefined ? [] : [[id, reason] as const];
      }),
    );
  }

  async #noteHeartbeat(
    tx: Transaction<Schema>,
    changes: Changes,
    agent: AgentRow,
    beat: Heartbeat,
    now: number,
  ): Promise<void> {
    if ((await recordHeartbeat(tx, agent.id, beat, now)) === null) requireInstance(agent, '');
    const sizes = (beat.sizes ?? []).map(({ area, usedBytes }) => sizeOf(area, usedBytes));
    await recordAreaSizes(tx, agent.id, sizes, now);
    if (beat.dropped.length > 0) await this.#noteDropped(tx, changes, agent, beat.dropped);
    // That it still is short, everybody knows: what could be done about it has been.
    const isNews = beat.dropped.length + sizes.length > 0;
    changes.wantsRoom =
      (isShort(beat) && (isNews || !isShort(agent.facts))) || (sizes.length > 0 && this.#hasBudget);
    if (agent.lostAt !== null) {
      changes.event('agent-connected', { agent: agent.id }, { name: agent.name, again: true });
    }
  }

  get #hasBudget(): boolean {
    return this.config.agentBudgetBytes !== null || this.config.farmBudgetBytes !== null;
  }

  async #noteDropped(
    tx: Transaction<Schema>,
    changes: Changes,
    agent: AgentRow,
    areas: readonly AreaName[],
  ): Promise<void> {
    await removeDropping(tx, agent.id, areas);
    for (const area of areas) {
      const { build, variant } = splitArea(area);
      await removeCheckpointsOfArea(tx, agent.id, build, variant);
      await removeAreaSize(tx, agent.id, build, variant);
      changes.event('checkpoints-dropped', { build, agent: agent.id }, { name: agent.name, variant });
    }
  }

  /** BullMQ's lock mirrors the lease; that it may be lost is no news, since the lease is what counts. */
  #mirrorLocks(agent: AgentRow, beat: Heartbeat, granted: readonly AttemptId[]): void {
    for (const { attempt, epoch, token } of beat.attempts) {
      if (granted.includes(attempt)) void this.inbox.extend(agent.id, { attempt, epoch }, token);
    }
  }

  async #endNeverArrived(
    agent: AgentRow,
    beat: Heartbeat,
    leases: readonly AgentLease[],
    now: number,
  ): Promise<void> {
    const known = new Set(beat.attempts.map(({ attempt }) => attempt));
    const learnBy = now - HEARTBEATS_TO_LEARN * this.config.heartbeatMs;
    const missing = leases.filter(
      ({ id, claimedAt, lastSeq }) => !known.has(id) && lastSeq === 0 && (claimedAt ?? now) < learnBy,
    );
    for (const { id } of missing) {
      await this.work.change(async (tx, changes, at) => {
        const attempt = await findAttempt(tx, id);
        if (attempt?.last_seq !== 0) return;
        // An earlier one named it: this one was on its way for long.
        if ((attempt.lease_until ?? 0) > (attempt.claimed_at ?? 0) + this.config.leaseMs) return;
        const reason = `agent ${agent.name} never got the assignment`;
        await this.endings.end(tx, changes, attempt, { kind: 'withdrawn', reason }, at);
      });
    }
  }
}

function sizeOf(area: AreaName, usedBytes: number): AreaSize {
  const { build: buildId, variant } = splitArea(area);
  return { buildId, variant, usedBytes };
}

function isShort(store: { readonly freeBytes: number; readonly usedBytes: number }): boolean {
  return store.freeBytes < spaceFloorOf(store);
}

/** Once in each such time, whichever coordinator is asked. */
function isLockRenewalDue(lastSeenAt: number, now: number): boolean {
  return Math.floor(lastSeenAt / LOCK_RENEWAL_MS) !== Math.floor(now / LOCK_RENEWAL_MS);
}

type LeaseAnswer = HeartbeatResponse['leases'][number];

function answersTo(beat: Heartbeat, leases: readonly AgentLease[]): readonly LeaseAnswer[] {
  const own = new Map(leases.map((lease) => [lease.id, lease]));
  return beat.attempts.map(({ attempt, epoch, token }) => {
    const lease = own.get(attempt);
    const granted = lease?.epoch === epoch && lease.tokenHash === hashSecret(token);
    return {
      attempt,
      granted,
      wish: granted ? lease.wish : ('cancel' as const),
      pauseBefore: granted ? lease.pauseBefore : null,
    };
  });
}

function grantedOf(answers: readonly LeaseAnswer[]): readonly AttemptId[] {
  return answers.filter(({ granted }) => granted).map(({ attempt }) => attempt);
}

export function requireInstance(agent: AgentRow, instance: string): void {
  if (agent.instance === instance) return;
  throw new FarmError(
    'CONFLICT',
    agent.instance === null
      ? `agent ${agent.name} has not said hello yet`
      : `another process uses the key of agent ${agent.name}`,
    'An agent whose hello is newer has taken over; this one must stop.',
  );
}

/** Areas of builds that nobody knows, or that retention has collected meanwhile. */
async function areasToDrop(
  tx: Transaction<Schema>,
  agent: AgentRow,
  areas: readonly AreaName[],
): Promise<AreaName[]> {
  const kept = await uncollectedBuilds(tx, [...new Set(areas.map((area) => splitArea(area).build))]);
  const gone = areas.filter((area) => !kept.has(splitArea(area).build));
  const found = new Set(areas);
  // What it was told to drop and no longer has is dropped.
  const dropping = (agent.dropping as AreaName[]).filter((area) => found.has(area));
  await removeDropping(tx, agent.id, agent.dropping);
  await addDropping(tx, agent.id, [...new Set([...gone, ...dropping])]);
  return [...new Set([...gone, ...dropping])];
}
