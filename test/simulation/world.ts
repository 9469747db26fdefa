import type { AgentFacts, AgentId, BuildId, Report, StepOutcome } from '#libs/contracts';
import type { Manifest } from '#libs/manifest';
import type { Plan, PlannedStep } from '#libs/plan';
import type { AgentRow } from '#libs/store';
import { planOf } from '../../libs/plan/src/testing.js';
import { canSendTo, peerOf } from '../../apps/coordinator/src/decide/can-send-to.js';
import { planRows, type VariantRows } from '../../apps/coordinator/src/builds/plan-rows.js';
import { ModelAgent } from './model-agent.js';
import {
  ModelCoordinator,
  VARIANT,
  type Key,
  type LeaseAnswer,
  type Message,
  type ModelAssignment,
} from './model-coordinator.js';
import type { ModelCheckpoint } from './model-store.js';
import { RULES, type Rules } from './rules.js';
import { nameOfAgent, type Fault, type Schedule } from './schedule.js';
import { Chance, VirtualTime } from './virtual-time.js';
import { LOST_PASS_MS, Violation, Watch } from './watch.js';

export const BUILD = 'b-0000000001' as BuildId;
export const START = 1_800_000_000_000;
const CLAIM_WAIT_MS = 25_000;
/** Less often than the real one, since it finds the same. */
const PASS_MS = 10_000;
const RESTART_MS = 3_000;
/** Longer than an agent's longest quarantine. */
const PATIENCE_MS = 3 * 3_600_000;
const QUIET_MS = 60_000;
const MOST_EVENTS = 100_000;

export interface Shape {
  readonly plan: Plan;
  readonly rows: VariantRows;
}

/** Plans that the simulated builds have: one job; a lane that forks and joins; two of them. */
export const SHAPES: readonly Shape[] = [
  ['a', 'b', 'c'],
  ['a', 'b', 'x:c>out', 'd'],
  ['a', 'x:b>one', 'y:c>two', 'd', 'e'],
].map((steps) => {
  const plan = planOf(steps);
  const requires = { labels: [], tools: [], freeBytes: 0 };
  const manifest = { steps: plan.steps.map(() => ({ requires })) } as unknown as Manifest;
  const variant = { name: VARIANT, isOptional: false, manifest, plan, fingerprints: [] };
  return { plan, rows: planRows(BUILD, variant, { boundaries: [], ends: [] }) };
});

export function agentRow(id: AgentId): AgentRow {
  return { ...AGENT, id, name: id };
}

export const FACTS: AgentFacts = {
  version: '1',
  hostname: 'host',
  architectures: ['amd64'],
  labels: [],
  tools: {},
  slots: 2,
  store: { kind: 'directory', description: '', abilities: [] },
  freeBytes: 1_000_000_000,
  usedBytes: 0,
};

const AGENT = {
  keyHash: '',
  facts: FACTS,
  load: null,
  instance: null,
  drained: false,
  letsFinish: false,
  paused: false,
  pausedUntil: null,
  reason: '',
  leaving: false,
  enrolledAt: START,
  lastSeenAt: null,
  lostAt: null,
  revokedAt: null,
  failures: 0,
  quarantinedUntil: null,
  dropping: [],
  peer: { host: 'localhost', port: 1 },
};

interface ParkedClaim {
  readonly agent: AgentId;
  readonly since: number;
  readonly give: (answer: ClaimAnswer | null) => void;
}
export interface ClaimAnswer {
  readonly assignment: ModelAssignment | null;
  readonly waitedMs: number;
}

export type Direction = 'to' | 'from';

/** One build on one farm, from the submission until all is over, in virtual time. The same schedule goes the same way each time. */
export class World {
  readonly chance: Chance;
  readonly plan: Plan;
  readonly coordinator: ModelCoordinator;
  readonly watch: Watch;
  readonly agents: readonly ModelAgent[];
  /** How many were taken so far. */
  checkpoints = 0;
  events = 0;
  readonly #time = new VirtualTime(START);
  readonly #queues = new Map<AgentId, Message[]>();
  readonly #cutUntil: Readonly<Record<Direction, Map<AgentId, number>>> = { to: new Map(), from: new Map() };
  readonly #poison = new Map<number, number>();
  readonly #failing = new Set<number>();
  readonly #healAt: number;
  readonly #watchUntil: number;
  #parked: ParkedClaim[] = [];
  #tokens = 0;
  /** Counts the starts of the coordinator; `null`: it is down. */
  #process: number | null = null;
  #starts = 0;
  #isPassDue = false;
  #wasCancelled = false;
  #stepFailed = false;

  constructor(
    private readonly schedule: Schedule,
    readonly rules: Rules = RULES,
    make: (...args: ConstructorParameters<typeof ModelCoordinator>) => ModelCoordinator = (...args) =>
      new ModelCoordinator(...args),
  ) {
    const { plan, rows } = SHAPES[schedule.shape]!;
    this.plan = plan;
    this.chance = new Chance(schedule.seed);
    const ids = Array.from({ length: schedule.agents }, (_, index) => nameOfAgent(index));
    this.coordinator = make(rules, BUILD, rows, ids.map(agentRow), START);
    this.watch = new Watch(plan, this.coordinator);
    this.coordinator.watcher = this.watch;
    this.agents = ids.map((id) => new ModelAgent(id, this, 0.97 + this.chance.next() * 0.06));
    const ends = schedule.faults.map((fault) => fault.at + ('forMs' in fault ? fault.forMs : 0));
    this.#healAt = START + Math.max(QUIET_MS, ...ends);
    const resumes = schedule.faults
      .filter(({ kind }) => kind.startsWith('user-resume'))
      .map(({ at }) => at + 1);
    // What comes of a build that is over is watched now and then only: it is the rarest to go wrong.
    this.#watchUntil = schedule.seed % 8 === 0 ? this.#healAt : START + Math.max(0, ...resumes);
  }

  get now(): number {
    return this.#time.now;
  }

  after(ms: number, happen: () => void): void {
    this.#time.after(ms, happen);
  }

  /** Until all is over. Throws Violation. */
  run(): void {
    this.#startCoordinator();
    for (const agent of this.agents) this.after(this.chance.between(0, 1_000), () => agent.start());
    for (const fault of this.schedule.faults) this.after(fault.at, () => this.#inflict(fault));
    this.after(this.#healAt - START, () => this.#heal());
    while (!this.#isOver()) {
      this.events += 1;
      if (!this.#time.step()) throw new Violation('nothing happens any more');
      if (this.now - this.#healAt > PATIENCE_MS || this.events > MOST_EVENTS)
        throw new Violation(`did not end: ${this.#describe()}`);
    }
    this.watch.requireGoodEnd({ cancelled: this.#wasCancelled, stepFailed: this.#stepFailed });
  }

  #isOver(): boolean {
    return (
      this.now >= this.#watchUntil &&
      this.coordinator.isOver &&
      !this.agents.some((agent) => agent.isUp && agent.paused === null && agent.isBusy)
    );
  }

  #describe(): string {
    const { build, jobs, agents } = this.coordinator;
    return JSON.stringify({
      build: build.state,
      wish: build.wish,
      jobs: jobs.map(({ state, avoid }) => `${state} avoiding ${avoid.join()}`),
      agents: [...agents.values()].map(({ id, lostAt, quarantinedUntil }) => ({
        id,
        lostAt,
        quarantinedUntil,
      })),
      busy: this.agents.filter(({ isBusy }) => isBusy).map(({ id }) => id),
    });
  }

  // What agents ask of the coordinator.

  hello(agent: AgentId, body: Parameters<ModelCoordinator['hello']>[1]): void {
    this.coordinator.hello(agent, body, this.now);
    for (const { attempt } of body.spooled) this.watch.renewed(attempt, this.now);
  }

  heartbeat(
    agent: AgentId,
    body: Parameters<ModelCoordinator['heartbeat']>[1],
  ): readonly LeaseAnswer[] | null {
    const leases = this.coordinator.heartbeat(agent, body, this.now);
    for (const { attempt, granted } of leases ?? []) if (granted) this.watch.renewed(attempt, this.now);
    return leases;
  }

  report(agent: AgentId, key: Key, reports: readonly Report[]): number | null {
    const { coordinator } = this;
    const attempt = coordinator.attempts.get(key.attempt);
    const isFresh = reports.at(-1)!.seq > (attempt?.lastSeq ?? 0);
    const isCurrent = isFresh && attempt?.state === 'running' && attempt.epoch === attempt.job.epoch;
    const { revision } = coordinator;
    const acknowledged = coordinator.report(agent, key, reports, this.now);
    this.watch.requireUnchangedByStale(attempt, isCurrent, coordinator.revision !== revision);
    return acknowledged;
  }

  claim(agent: AgentId, instance: string, reply: (answer: ClaimAnswer | null) => void): void {
    if (this.coordinator.agents.get(agent)?.instance !== instance) {
      reply({ assignment: null, waitedMs: 0 });
      return;
    }
    const overdue = this.coordinator.takeOverdue(agent, this.#newToken(), this.now);
    const assignment = overdue ?? this.#takeNext(agent);
    if (assignment === null) {
      const parked = { agent, since: this.now, give: reply };
      this.#parked.push(parked);
      this.after(CLAIM_WAIT_MS, () => {
        if (this.#unpark(parked)) reply({ assignment: null, waitedMs: 0 });
      });
      return;
    }
    this.watch.taken(assignment.attempt, this.now);
    reply({ assignment, waitedMs: 0 });
  }

  /** Who could send the checkpoint, as far as the record knows. */
  sourceOf(receiver: AgentId, id: string, without: readonly AgentId[]): AgentId | null {
    const { agents, checkpoints } = this.coordinator;
    const holder = checkpoints.find(
      (checkpoint) =>
        checkpoint.id === id &&
        !without.includes(checkpoint.agent) &&
        canSendTo(peerOf(agents.get(checkpoint.agent)!), peerOf(agents.get(receiver)!)),
    );
    return holder?.agent ?? null;
  }

  // What the network and the hosts do.

  /** A call of an agent's; `settle` gets `null` when no answer comes in time. */
  request<T>(
    agent: ModelAgent,
    timeoutMs: number,
    handle: (reply: (answer: T | null) => void) => void,
    settle: (answer: T | null) => void,
  ): void {
    const sentAt = this.now;
    const sentAtLocal = agent.localNow();
    let isSettled = false;
    const finish = (ms: number, answer: T | null): void =>
      agent.receive(ms, () => {
        if (isSettled) return;
        isSettled = true;
        settle(agent.localNow() - sentAtLocal > timeoutMs ? null : answer);
      });
    const fail = (): void => finish(Math.max(0, sentAt + timeoutMs - this.now), null);
    const reply = (answer: T | null): void => {
      const delays = this.#delays(agent.id, 'from');
      if (delays.every((ms) => this.now + ms - sentAt >= timeoutMs)) fail();
      for (const ms of delays) finish(ms, answer);
    };
    const delays = this.#delays(agent.id, 'to');
    if (delays.every((ms) => ms >= timeoutMs)) fail();
    for (const ms of delays) {
      this.after(ms, () => {
        if (this.#process === null) {
          reply(null);
          return;
        }
        handle(reply);
        this.#afterChange();
      });
    }
  }

  /** The checkpoint, when its holder is there and can be reached. */
  sentBy(source: AgentId, receiver: ModelAgent, id: string): ModelCheckpoint | null {
    const holder = this.agents.find((agent) => agent.id === source);
    if (holder?.isUp !== true || holder.paused !== null) return null;
    const isCut = [holder, receiver].some(
      (each) => this.#isCut(each.id, 'to') || this.#isCut(each.id, 'from'),
    );
    return isCut ? null : (holder.store.all().find((checkpoint) => checkpoint.id === id) ?? null);
  }

  stepBegan(agent: ModelAgent, { index }: PlannedStep): void {
    const left = this.#poison.get(index) ?? 0;
    if (left === 0) return;
    this.#poison.set(index, left - 1);
    this.after(500, () => this.#kill(agent, false, RESTART_MS));
  }

  outcomeOf({ index }: PlannedStep): StepOutcome {
    if (!this.#failing.delete(index)) return { kind: 'succeeded' };
    this.#stepFailed = true;
    return { kind: 'exited', status: 1 };
  }

  refused(agent: ModelAgent): void {
    this.#kill(agent, false, RESTART_MS);
  }

  /** The connections of a process that has gone. */
  dropParked(agent: AgentId): void {
    this.#parked = this.#parked.filter((parked) => parked.agent !== agent);
  }

  #startCoordinator(): void {
    const process = (this.#starts += 1);
    this.#process = process;
    const since = this.now;
    this.coordinator.forget();
    this.watch.coordinatorStarted(since);
    this.#passSoon();
    let passes = 0;
    const lookForLost = (): void => {
      if (this.#process !== process) return;
      this.coordinator.findLost(this.now, since);
      this.watch.lookedForLost(this.now);
      if ((passes += 1) % 3 === 0) this.coordinator.resend(this.now);
      this.#send();
      this.#afterChange();
      this.after(LOST_PASS_MS, lookForLost);
    };
    this.after(LOST_PASS_MS, lookForLost);
  }

  #passSoon(ms = 1): void {
    if (this.#isPassDue || this.#process === null) return;
    this.#isPassDue = true;
    const process = this.#process;
    this.after(ms, () => {
      this.#isPassDue = false;
      if (this.#process !== process) {
        this.#passSoon();
        return;
      }
      this.coordinator.schedule(this.now);
      this.#send();
      if (this.coordinator.jobs.some(({ state }) => state === 'waiting')) this.#passSoon(PASS_MS);
    });
  }

  /** Hints only: they may be lost. */
  #afterChange(): void {
    const { coordinator } = this;
    if (coordinator.mayPlace) this.#passSoon();
    if (coordinator.toWake.size === 0) return;
    for (const id of coordinator.toWake) {
      const agent = this.agents.find((each) => each.id === id);
      for (const ms of this.#delays(id, 'from')) agent?.receive(ms, () => agent.wake());
    }
    coordinator.toWake.clear();
  }

  /** From the outbox to the agents' queues, where messages may get lost. */
  #send(): void {
    for (const { agent, attempt, epoch } of this.coordinator.unsent(this.now)) {
      if (this.#isNoisy()) continue;
      const queue = this.#queues.get(agent) ?? [];
      this.#queues.set(agent, queue);
      if (!queue.some((message) => message.attempt === attempt)) queue.push({ attempt, epoch });
      const parked = this.#parked.find((each) => each.agent === agent);
      const assignment = parked === undefined ? null : this.#takeNext(agent);
      if (parked === undefined || assignment === null) continue;
      this.#unpark(parked);
      this.watch.taken(assignment.attempt, this.now);
      parked.give({ assignment, waitedMs: this.now - parked.since });
    }
  }

  #takeNext(agent: AgentId): ModelAssignment | null {
    const queue = this.#queues.get(agent) ?? [];
    for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
      // It may come again.
      if (this.#isNoisy()) queue.push(message);
      const assignment = this.coordinator.take(agent, message, this.#newToken(), this.now);
      if (assignment !== null) return assignment;
    }
    return null;
  }

  #newToken(): string {
    return `token-${(this.#tokens += 1)}`;
  }

  #unpark(parked: ParkedClaim): boolean {
    const at = this.#parked.indexOf(parked);
    if (at >= 0) this.#parked.splice(at, 1);
    return at >= 0;
  }

  #isNoisy(): boolean {
    return this.now < this.#healAt && this.chance.next() * 100 < this.schedule.noise;
  }

  /** After how long a message arrives: once, twice, late, or not at all. */
  #delays(agent: AgentId, direction: Direction): readonly number[] {
    const ms = this.chance.between(5, 100);
    const cutUntil = this.#cutUntil[direction].get(agent) ?? 0;
    // What was on its way is sent again by TCP, if nobody gave up before.
    if (cutUntil > this.now) return this.chance.next() < 0.7 ? [] : [cutUntil - this.now + ms];
    if (!this.#isNoisy()) return [ms];
    const fate = this.chance.next();
    if (fate < 0.4) return [];
    return fate < 0.7 ? [ms, this.chance.between(5, 20_000)] : [this.chance.between(5_000, 100_000)];
  }

  #isCut(agent: AgentId, direction: Direction): boolean {
    return (this.#cutUntil[direction].get(agent) ?? 0) > this.now;
  }

  #kill(agent: ModelAgent, losesTail: boolean, forMs: number): void {
    agent.kill(losesTail);
    this.after(forMs, () => agent.start());
  }

  #inflict(fault: Fault): void {
    switch (fault.kind) {
      case 'kill':
        this.#kill(this.#agentAt(fault.agent), fault.losesTail, fault.forMs);
        return;
      case 'lose': {
        const agent = this.#agentAt(fault.agent);
        if (this.agents.filter(({ isGone }) => !isGone).length === 1) return;
        agent.kill(false);
        agent.isGone = true;
        return;
      }
      case 'pause-process':
      case 'pause-host': {
        const agent = this.#agentAt(fault.agent);
        agent.pause(fault.kind === 'pause-host' ? 'host' : 'process');
        this.watch.agentPaused(agent.id);
        this.after(fault.forMs, () => {
          this.watch.agentWentOn(agent.id, this.now);
          agent.goOn();
        });
        return;
      }
      case 'cut': {
        const { id } = this.#agentAt(fault.agent);
        const directions = fault.direction === 'both' ? (['to', 'from'] as const) : [fault.direction];
        for (const each of directions) this.#cutUntil[each].set(id, this.now + fault.forMs);
        return;
      }
      case 'restart-coordinator':
        if (this.#process === null) return;
        this.#process = null;
        this.#isPassDue = false;
        for (const { give } of this.#parked.splice(0)) give(null);
        this.after(fault.forMs, () => this.#startCoordinator());
        return;
      case 'flush':
        this.#queues.clear();
        return;
      case 'poison':
        this.#poison.set(fault.step, fault.times);
        return;
      case 'fail-step':
        this.#failing.add(fault.step);
        return;
      case 'user-pause':
      case 'user-pause-before':
      case 'user-resume':
      case 'user-resume-from':
      case 'user-cancel':
        // Whoever asks a coordinator that is down is told so.
        if (this.#process !== null) this.#wish(fault);
    }
  }

  #wish(fault: Fault): void {
    const { coordinator, now } = this;
    const nameOf = (index: number): string => this.plan.steps[index % this.plan.steps.length]!.name;
    if (fault.kind === 'user-pause') coordinator.pause(null, now);
    else if (fault.kind === 'user-pause-before') coordinator.pause(nameOf(fault.step), now);
    else if (fault.kind === 'user-resume') coordinator.resume(null, now);
    else if (fault.kind === 'user-resume-from') coordinator.resume(nameOf(fault.step), now);
    else if (fault.kind === 'user-cancel') this.#wasCancelled ||= coordinator.cancel(now);
    this.#afterChange();
  }

  /** From now on nothing goes wrong, and the user wants the build to end. */
  #heal(): void {
    this.#poison.clear();
    this.#failing.clear();
    const goOn = (): void => {
      if (this.coordinator.build.state === 'paused') this.coordinator.resume(null, this.now);
      this.#afterChange();
      this.after(QUIET_MS, goOn);
    };
    goOn();
  }

  #agentAt(index: number): ModelAgent {
    return this.agents[index % this.agents.length]!;
  }
}
