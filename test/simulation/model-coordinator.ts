import {
  type AgentId,
  type Assignment,
  type AttemptEnd,
  type AttemptId,
  type BuildId,
  type BuildState,
  type Holding,
  type JobId,
  type JobState,
  type Report,
  type ReportEvent,
  type StepState,
  type Wish,
} from '#libs/contracts';
import { lineageOf, type AgentRow, type JobAncestor, type JobRow, type StepRow } from '#libs/store';
import { quarantineMs } from '../../apps/coordinator/src/decide/after-attempt.js';
import { buildStateOf } from '../../apps/coordinator/src/decide/build-state.js';
import { canSendTo, peerOf } from '../../apps/coordinator/src/decide/can-send-to.js';
import type { Holders, Served, WaitingJob } from '../../apps/coordinator/src/decide/placement-input.js';
import { isHeldByPause, readyJobs } from '../../apps/coordinator/src/decide/ready-jobs.js';
import { candidateOf } from '../../apps/coordinator/src/scheduling/candidate-agents.js';
import { boundaryPosition, doneSteps } from '../../apps/coordinator/src/scheduling/job-progress.js';
import { digestOf } from './model-agent.js';
import { HEARTBEAT_MS, LEASE_MS, type Rules } from './rules.js';

export const VARIANT = 'default';
const OVERDUE_MS = 2_000;
const UNFETCHED_MS = 15_000;

export interface ModelBuild {
  readonly id: BuildId;
  wish: Wish;
  pauseBefore: string | null;
  state: BuildState;
}

export type ModelJob = Pick<
  JobRow,
  'id' | 'variant_id' | 'index' | 'workspace' | 'needs' | 'base' | 'imports' | 'requires' | 'end_label'
> & {
  end_checkpoint: string | null;
  state: JobState;
  waitingSince: number | null;
  epoch: number;
  generation: number;
  ancestry: readonly JobAncestor[];
  retries: number;
  avoid: readonly AgentId[];
};

export type ModelAgentRow = { -readonly [K in keyof AgentRow]: AgentRow[K] };

export interface ModelStep {
  readonly job_id: JobId;
  readonly index: number;
  readonly name: string;
  state: StepState;
  attempt: AttemptId | null;
  started_at: number | null;
  ended_at: number | null;
}

export interface ModelAttempt {
  readonly id: AttemptId;
  readonly job: ModelJob;
  readonly agent: AgentId;
  readonly epoch: number;
  readonly lineage: string;
  readonly assignedAt: number;
  state: 'assigned' | 'running' | 'ended';
  token: string | null;
  claimedAt: number | null;
  leaseUntil: number | null;
  lastSeq: number;
  end: AttemptEnd | null;
  /** Indexes of the steps that it ended well. */
  readonly succeeded: Set<number>;
}

export interface ModelCheckpoint extends Holding {
  readonly agent: AgentId;
}

export interface ModelOutput {
  readonly attempt: AttemptId;
  /** What is in it, in the simulation's way of writing that. */
  readonly sha256: string;
}

/** What an agent says an attempt is its own by. */
export interface Key {
  readonly attempt: AttemptId;
  readonly epoch: number;
  readonly token: string;
}

export interface Message {
  readonly attempt: AttemptId;
  readonly epoch: number;
}

/** What of an assignment the agents of the simulation look at. */
export type ModelAssignment = Pick<
  Assignment,
  | 'attempt'
  | 'epoch'
  | 'token'
  | 'jobIndex'
  | 'lineage'
  | 'ancestry'
  | 'pauseBefore'
  | 'elsewhere'
  | 'publishEnd'
> & {
  readonly base: {
    readonly workspace: string;
    readonly label: string;
    readonly lineage: string;
    readonly checkpoint: string | null;
    readonly tree: string | null;
  } | null;
  readonly imports: readonly { readonly path: string; readonly tree: string }[];
};

export type LeaseAnswer = {
  readonly attempt: AttemptId;
  readonly granted: boolean;
  readonly wish: Wish;
  readonly pauseBefore: string | null;
};

/** Told of what happens in the record, to judge it. */
export interface RecordWatcher {
  jobChanged(job: ModelJob, from: JobState, cause: 'farm' | 'user'): void;
  attemptEnded(
    attempt: ModelAttempt,
    end: AttemptEnd,
    by: 'agent' | 'lease' | 'coordinator',
    now: number,
  ): void;
  progressed(job: ModelJob): void;
}

const NOBODY: RecordWatcher = {
  jobChanged: () => undefined,
  attemptEnded: () => undefined,
  progressed: () => undefined,
};

/**
 * The coordinator with its record in memory, as apps/coordinator does with SQL: one build, of one variant. What it decides, it decides with the product's own
 * functions; model-coordinator.spec.ts compares it with the real coordinator on SQLite. Each method is one transaction.
 */
export class ModelCoordinator {
  readonly build: ModelBuild;
  readonly jobs: readonly ModelJob[];
  readonly steps: readonly ModelStep[];
  readonly attempts = new Map<AttemptId, ModelAttempt>();
  readonly agents = new Map<AgentId, ModelAgentRow>();
  readonly outbox = new Map<AttemptId, { sentAt: number | null }>();
  /** By `<job's index>:<path>`. */
  readonly outputs = new Map<string, ModelOutput>();
  checkpoints: ModelCheckpoint[] = [];
  /** Grows with each change of what is on record of the build. */
  revision = 0;
  /** Agents that are to be woken, and whether jobs may be placed. */
  readonly toWake = new Set<AgentId>();
  mayPlace = false;
  watcher: RecordWatcher = NOBODY;
  /** In memory only. */
  #served: Served | undefined;
  /** Those of `attempts` that have not ended. */
  #open: readonly ModelAttempt[] = [];
  readonly #createdAt: number;
  #hasFetched = false;

  constructor(
    private readonly rules: Rules,
    build: BuildId,
    rows: { readonly jobs: readonly JobRow[]; readonly steps: readonly StepRow[] },
    agents: readonly AgentRow[],
    now: number,
  ) {
    this.#createdAt = now;
    this.build = { id: build, wish: 'run', pauseBefore: null, state: 'waiting' };
    this.jobs = rows.jobs.map((row) => ({
      id: row.id,
      variant_id: row.variant_id,
      index: row.index,
      workspace: row.workspace,
      needs: row.needs,
      base: row.base,
      imports: row.imports,
      requires: row.requires,
      end_label: row.end_label,
      end_checkpoint: null,
      state: row.state,
      waitingSince: null,
      epoch: 0,
      generation: row.generation,
      ancestry: [],
      retries: 0,
      avoid: [],
    }));
    this.steps = rows.steps.map(({ job_id, index, name }) => ({
      job_id,
      index,
      name,
      state: 'waiting',
      attempt: null,
      started_at: null,
      ended_at: null,
    }));
    for (const agent of agents) this.agents.set(agent.id, { ...agent });
    this.#settle(now, 'farm');
  }

  /** What a coordinator that is started anew does not know. */
  forget(): void {
    this.#served = undefined;
  }

  get isOver(): boolean {
    const { state } = this.build;
    return state === 'succeeded' || state === 'failed' || state === 'cancelled';
  }

  openAttempts(agent?: AgentId): readonly ModelAttempt[] {
    return agent === undefined ? this.#open : this.#open.filter((attempt) => attempt.agent === agent);
  }

  hello(
    agent: AgentId,
    hello: {
      readonly instance: string;
      readonly spooled: readonly Message[];
      readonly holdings: readonly Holding[];
    },
    now: number,
  ): void {
    const row = this.agents.get(agent)!;
    const isRepeated = this.rules.heedsHelloOnce && row.instance === hello.instance;
    Object.assign(row, { instance: hello.instance, lastSeenAt: now, lostAt: null, leaving: false });
    if (!isRepeated) {
      this.checkpoints = this.checkpoints.filter((checkpoint) => checkpoint.agent !== agent);
      for (const holding of hello.holdings) this.#keepCheckpoint(agent, holding);
    }
    this.mayPlace = true;
    const spooled = new Set(hello.spooled.map(({ attempt }) => attempt));
    for (const attempt of this.openAttempts(agent)) {
      if (attempt.state !== 'running') continue;
      if (spooled.has(attempt.id)) attempt.leaseUntil = now + LEASE_MS;
      else if (!isRepeated) this.#end(attempt, lost('restarted'), now, 'coordinator', true);
    }
  }

  /** `null`: another process of this agent has said hello since. */
  heartbeat(
    agent: AgentId,
    beat: { readonly instance: string; readonly attempts: readonly Key[] },
    now: number,
  ): readonly LeaseAnswer[] | null {
    const row = this.agents.get(agent)!;
    if (row.instance !== beat.instance) return null;
    const answers = beat.attempts.map((key): LeaseAnswer => {
      const attempt = this.attempts.get(key.attempt);
      const granted =
        attempt?.state === 'running' &&
        attempt.agent === agent &&
        attempt.epoch === key.epoch &&
        attempt.token === key.token;
      const { wish, pauseBefore } = this.build;
      return {
        attempt: key.attempt,
        granted,
        wish: granted ? wish : 'cancel',
        pauseBefore: granted ? pauseBefore : null,
      };
    });
    const running = this.openAttempts(agent).filter(({ state }) => state === 'running');
    for (const attempt of running) {
      if (answers.some(({ attempt: id, granted }) => granted && id === attempt.id))
        attempt.leaseUntil = now + LEASE_MS;
    }
    if (row.lostAt !== null) this.mayPlace = true;
    row.lastSeenAt = now;
    row.lostAt = null;
    const learnBy = now - 2 * HEARTBEAT_MS;
    for (const attempt of running) {
      const isKnown = beat.attempts.some(({ attempt: id }) => id === attempt.id);
      if (isKnown || attempt.lastSeq > 0 || (attempt.claimedAt ?? now) >= learnBy) continue;
      if (this.rules.heedsEarlierHeartbeat && (attempt.leaseUntil ?? 0) > (attempt.claimedAt ?? 0) + LEASE_MS)
        continue;
      this.#end(attempt, { kind: 'withdrawn', reason: 'never arrived' }, now, 'coordinator');
    }
    return answers;
  }

  /** What the record has given the agent long ago, whatever became of its message. */
  takeOverdue(agent: AgentId, token: string, now: number): ModelAssignment | null {
    const [overdue] = this.openAttempts(agent)
      .filter(({ state, assignedAt }) => state === 'assigned' && assignedAt < now - OVERDUE_MS)
      .toSorted((a, b) => a.assignedAt - b.assignedAt || a.job.index - b.job.index);
    return overdue === undefined
      ? null
      : this.take(agent, { attempt: overdue.id, epoch: overdue.epoch }, token, now);
  }

  /** `null`: the attempt was taken back meanwhile, or the message is an old one. */
  take(agent: AgentId, { attempt: id, epoch }: Message, token: string, now: number): ModelAssignment | null {
    const attempt = this.attempts.get(id);
    if (attempt?.agent !== agent || attempt.epoch !== epoch) return null;
    if (attempt.state !== 'assigned' && this.rules.claimsOnce) return null;
    attempt.state = 'running';
    attempt.token = token;
    attempt.claimedAt = now;
    attempt.leaseUntil = now + LEASE_MS;
    this.#change(attempt.job, { state: 'running' });
    this.outbox.delete(attempt.id);
    this.#settle(now, 'farm');
    return this.#assignment(attempt, token);
  }

  /** The number of the newest report that is kept; `null`: nothing of the attempt counts any more. */
  report(agent: AgentId, key: Key, reports: readonly Report[], now: number): number | null {
    const attempt = this.attempts.get(key.attempt);
    if (attempt?.agent !== agent || attempt.token !== key.token || attempt.epoch !== key.epoch) return null;
    const fresh = this.rules.refusesRepeated ? reports.filter(({ seq }) => seq > attempt.lastSeq) : reports;
    const last = fresh.at(-1);
    if (last === undefined) return attempt.lastSeq;
    if (attempt.state !== 'running' && this.rules.refusesStale) return null;
    if (this.rules.refusesRepeated && fresh[0]!.seq !== attempt.lastSeq + 1) throw new RangeError('a hole');
    attempt.lastSeq = Math.max(attempt.lastSeq, last.seq);
    for (const { event, at } of fresh) this.#apply(attempt, event, at, now);
    return attempt.lastSeq;
  }

  /** The number of jobs assigned. */
  schedule(now: number): number {
    const { build } = this;
    this.mayPlace = false;
    const waiting = this.jobs.filter(({ state }) => state === 'waiting');
    if (waiting.length === 0 || build.wish !== 'run') return 0;
    const loads = this.openAttempts().map(({ agent, assignedAt, job }) => ({
      agent,
      user: 'alice',
      assignedAt,
      requires: job.requires,
    }));
    const result = this.rules.placeJobs({
      jobs: waiting.map((job) => this.#waitingJob(job)),
      agents: [...this.agents.values()].map((row) =>
        candidateOf(
          row,
          loads.filter(({ agent }) => agent === row.id),
          now,
        ),
      ),
      holders: this.#holders(waiting),
      // A transfer takes no time here.
      fetches: new Map(this.#hasFetched ? [['directory', { ms: 0, smallMs: 0, bytesPerSecond: null }]] : []),
      runningByUser: new Map([['alice', loads.length]]),
      limits: { runningPerUser: 1000, placements: 100 },
      ...(this.#served === undefined ? {} : { served: this.#served }),
      now,
    });
    this.#served = result.served;
    for (const { job: id, agent } of result.placements) this.#assign(id, agent, now);
    this.#settleState();
    return result.placements.length;
  }

  /** What is to be given to the queue now. */
  unsent(now: number): readonly (Message & { readonly agent: AgentId })[] {
    if (this.outbox.size === 0) return [];
    const messages = [...this.outbox]
      .filter(([, { sentAt }]) => sentAt === null)
      .map(([attempt]) => this.attempts.get(attempt)!);
    for (const { id } of messages) this.outbox.get(id)!.sentAt = now;
    return messages.map(({ id, epoch, agent }) => ({ attempt: id, epoch, agent }));
  }

  /** Gives again what nobody has fetched. */
  resend(now: number): void {
    for (const message of this.outbox.values()) {
      if (message.sentAt !== null && message.sentAt < now - UNFETCHED_MS) message.sentAt = null;
    }
  }

  findLost(now: number, since: number): void {
    const { expiredAttempts } = this.rules;
    if (now - since >= LEASE_MS) {
      for (const agent of this.agents.values()) {
        if (agent.lostAt === null && agent.lastSeenAt !== null && agent.lastSeenAt < now - LEASE_MS)
          agent.lostAt = now;
      }
    }
    for (const attempt of expiredAttempts(this.openAttempts(), now, since, LEASE_MS)) {
      const end = attempt.state === 'assigned' ? withdrawn('not fetched') : lost('silent');
      this.#end(attempt, end, now, 'lease');
    }
  }

  /** False: refused, as all wishes below may be. */
  pause(before: string | null, now: number): boolean {
    const { build } = this;
    if (this.isOver) return false;
    if (before === null) build.wish = 'pause';
    else {
      if (!this.steps.some(({ name, state }) => name === before && state === 'waiting')) return false;
      build.pauseBefore = before;
    }
    this.revision += 1;
    const waited = this.jobs.filter(({ state }) => state === 'waiting');
    this.#withdrawAssigned('paused', now);
    for (const job of waited) {
      const change = { state: before === null ? 'paused' : 'blocked', waitingSince: null } as const;
      this.#change(job, change, 'user');
    }
    this.#settle(now, 'user');
    this.#wakeAll();
    return true;
  }

  resume(from: string | null, now: number): boolean {
    const { build } = this;
    const resume = this.rules.planResume(this.jobs, this.steps, from);
    const pauseIsPending = build.wish === 'pause' || build.pauseBefore !== null;
    if (resume.kind === 'refused' && (from !== null || !pauseIsPending)) return false;
    for (const { job, setBack, fromStep } of resume.kind === 'refused' ? [] : resume.jobs) {
      const lineage = setBack === null ? {} : { generation: job.generation + 1, ancestry: setBack.ancestry };
      this.#change(job, { state: 'blocked', retries: 0, avoid: [], ...lineage }, 'user');
      if (fromStep !== null) this.#resetSteps(job, fromStep);
    }
    build.wish = 'run';
    build.pauseBefore = null;
    this.revision += 1;
    this.#settle(now, 'user');
    this.#wakeAll();
    this.mayPlace = true;
    return true;
  }

  cancel(now: number): boolean {
    if (this.isOver) return false;
    const stopped = this.jobs.filter(({ state }) =>
      (['waiting', 'blocked', 'paused'] satisfies JobState[] as JobState[]).includes(state),
    );
    this.build.wish = 'cancel';
    this.revision += 1;
    this.#withdrawAssigned('cancelled', now);
    for (const job of stopped) this.#change(job, { state: 'cancelled', waitingSince: null }, 'user');
    this.#settle(now, 'user');
    this.#wakeAll();
    return true;
  }

  #assign(id: JobId, agent: AgentId, now: number): void {
    const job = this.jobs.find((each) => each.id === id)!;
    const epoch = job.epoch + 1;
    this.#change(job, { state: 'assigned', epoch, end_checkpoint: null, waitingSince: null });
    const attempt: ModelAttempt = {
      id: `t-${job.index}.${epoch}` as AttemptId,
      job,
      agent,
      epoch,
      lineage: this.lineageOf(job),
      assignedAt: now,
      state: 'assigned',
      token: null,
      claimedAt: null,
      leaseUntil: now + LEASE_MS,
      lastSeq: 0,
      end: null,
      succeeded: new Set(),
    };
    this.attempts.set(attempt.id, attempt);
    this.#open = [...this.#open, attempt];
    this.outbox.set(attempt.id, { sentAt: null });
  }

  lineageOf({ index, generation }: Pick<ModelJob, 'index' | 'generation'>): string {
    return lineageOf(this.build.id, VARIANT, index, generation);
  }

  #waitingJob(job: ModelJob): WaitingJob {
    const base = job.base === null ? null : this.jobs[job.base.job]!;
    return {
      id: job.id,
      build: this.build.id,
      user: 'alice',
      priority: 'normal',
      waitingSince: job.waitingSince ?? this.#createdAt,
      createdAt: this.#createdAt,
      index: job.index,
      requires: job.requires,
      onAgent: null,
      avoid: job.avoid,
      done: job.epoch > 0 ? doneSteps({ hasEnd: job.end_label !== null }, this.#stepsOf(job)) : [],
      isComplete: this.#stepsOf(job).every(({ state }) => state === 'succeeded'),
      ordered: 0,
      boundaryBytes: [],
      wants: {
        lineage: this.lineageOf(job),
        base:
          base === null
            ? null
            : {
                lineage: `${this.lineageOf(base)}@${base.end_checkpoint ?? ''}`,
                published: this.outputs.has(`${base.index}:`),
              },
      },
    };
  }

  #holders(waiting: readonly ModelJob[]): Holders {
    const holders = new Map<string, Map<AgentId, number>>();
    const hold = (key: string, agent: AgentId, position: number): void => {
      const furthest = holders.get(key) ?? new Map<AgentId, number>();
      if (position > 0) holders.set(key, furthest.set(agent, Math.max(furthest.get(agent) ?? 0, position)));
    };
    for (const { agent, lineage, label, id } of this.checkpoints) {
      for (const job of waiting.filter(({ epoch }) => epoch > 0)) {
        for (const known of this.#lineagesOf(job).filter((each) => each.lineage === lineage))
          hold(this.lineageOf(job), agent, boundaryPosition(label, this.#stepsOf(job), known.upToIndex));
      }
      const isBase = waiting.some(
        ({ base }) =>
          base !== null &&
          this.jobs[base.job]!.end_checkpoint === id &&
          this.lineageOf(this.jobs[base.job]!) === lineage,
      );
      if (isBase) hold(`${lineage}@${id}`, agent, 1);
    }
    return holders;
  }

  /** Up to which step their checkpoints are good for the job. */
  #lineagesOf(job: ModelJob): readonly { readonly lineage: string; readonly upToIndex: number }[] {
    const ancestors = job.ancestry.map(({ generation, upToIndex }) => ({
      lineage: this.lineageOf({ index: job.index, generation }),
      upToIndex,
    }));
    return [{ lineage: this.lineageOf(job), upToIndex: Infinity }, ...ancestors];
  }

  #assignment(attempt: ModelAttempt, token: string): ModelAssignment {
    const { job } = attempt;
    const receiver = this.agents.get(attempt.agent)!;
    const lineages = [
      attempt.lineage,
      ...this.#lineagesOf(job)
        .slice(1)
        .map(({ lineage }) => lineage),
    ];
    const { base } = job;
    return {
      attempt: attempt.id,
      epoch: attempt.epoch,
      token,
      jobIndex: job.index,
      lineage: attempt.lineage,
      ancestry: job.ancestry.map(({ generation, upTo }) => ({
        lineage: this.lineageOf({ index: job.index, generation }),
        upTo,
      })),
      pauseBefore: this.build.pauseBefore,
      elsewhere: this.checkpoints.filter(
        ({ agent, lineage }) =>
          lineages.includes(lineage) && canSendTo(peerOf(this.agents.get(agent)!), peerOf(receiver)),
      ),
      publishEnd: this.agents.size > 1 && job.end_label !== null,
      imports: job.imports.map(({ path, job: writer }) => ({
        path,
        tree: this.outputs.get(`${writer}:${path}`)!.sha256,
      })),
      base:
        base === null
          ? null
          : {
              workspace: base.workspace,
              label: base.label,
              lineage: this.lineageOf(this.jobs[base.job]!),
              checkpoint: this.jobs[base.job]!.end_checkpoint,
              tree: this.outputs.get(`${base.job}:`)?.sha256 ?? null,
            },
    };
  }

  #apply(attempt: ModelAttempt, event: ReportEvent, at: number, now: number): void {
    const { job } = attempt;
    this.revision += 1;
    switch (event.type) {
      case 'step-started':
        this.#resetSteps(job, event.step);
        this.#step(job, event.step, { state: 'running', attempt: attempt.id, started_at: at });
        return;
      case 'step-ended': {
        const { kind } = event.outcome;
        const state = kind === 'succeeded' || kind === 'interrupted' ? kind : 'failed';
        this.#step(job, event.step, { state, attempt: attempt.id, ended_at: at });
        if (state === 'succeeded') attempt.succeeded.add(event.step);
        return;
      }
      case 'checkpoint-fetched':
        this.#keepCheckpoint(attempt.agent, event.holding);
        this.#hasFetched = true;
        return;
      case 'checkpoint-taken':
        if (event.before === null) job.end_checkpoint = event.holding.id;
        if (!this.#keepCheckpoint(attempt.agent, event.holding)) return;
        if (job.retries > 0 && this.#isFurthest(attempt)) {
          job.retries = 0;
          this.watcher.progressed(job);
        }
        return;
      case 'output-published':
        this.outputs.set(`${job.index}:${event.path}`, { attempt: attempt.id, sha256: digestOf(event.tree) });
        return;
      case 'end-published':
        this.outputs.set(`${job.index}:`, { attempt: attempt.id, sha256: digestOf(event.tree) });
        return;
      case 'ended': {
        const { end } = event;
        if (end.kind === 'succeeded') this.#keepStepsInFront(job, Infinity);
        const agentRestarted = end.kind === 'infrastructure' && end.fault === 'lost';
        this.#end(attempt, end, now, 'agent', agentRestarted);
        return;
      }
      case 'resumed':
        this.#keepStepsInFront(job, event.before);
        return;
      // Its builds reuse nothing.
      case 'state-reused':
      case 'keys-dropped':
      case 'phase':
      case 'output-imported':
      case 'transfer-progress':
      case 'artifact-published':
      case 'warning':
    }
  }

  #keepStepsInFront(job: ModelJob, end: number): void {
    for (const step of this.steps) {
      if (step.job_id === job.id && step.index < end) step.state = 'succeeded';
    }
  }

  #isFurthest(attempt: ModelAttempt): boolean {
    const own = Math.max(-1, ...attempt.succeeded);
    return (
      own >= 0 &&
      [...this.attempts.values()].every(
        (other) =>
          other === attempt ||
          other.job !== attempt.job ||
          other.lineage !== attempt.lineage ||
          Math.max(-1, ...other.succeeded) < own,
      )
    );
  }

  #keepCheckpoint(agent: AgentId, holding: Holding): boolean {
    const isKnown = this.checkpoints.some((known) => known.agent === agent && known.id === holding.id);
    if (!isKnown) this.checkpoints.push({ ...holding, agent });
    return !isKnown;
  }

  #end(
    attempt: ModelAttempt,
    end: AttemptEnd,
    now: number,
    by: 'agent' | 'lease' | 'coordinator',
    agentRestarted = false,
  ): void {
    if (attempt.state === 'ended') return;
    const { job } = attempt;
    const next = this.rules.afterAttempt(
      {
        retries: job.retries,
        avoid: job.avoid,
        wish: this.build.wish,
        pauseIsPending: this.build.pauseBefore !== null,
        agent: attempt.agent,
        agentRestarted,
        gotFurther: false,
      },
      end,
    );
    attempt.state = 'ended';
    this.#open = this.#open.filter((each) => each !== attempt);
    attempt.end = end;
    attempt.leaseUntil = null;
    this.outbox.delete(attempt.id);
    this.watcher.attemptEnded(attempt, end, by, now);
    const waitingSince = next.state === 'waiting' ? now : null;
    this.#change(job, { state: next.state, retries: next.retries, avoid: next.avoid, waitingSince });
    for (const step of this.steps) {
      if (step.job_id === job.id && step.state === 'running' && step.attempt === attempt.id)
        Object.assign(step, { state: 'interrupted', ended_at: now });
    }
    this.#judgeAgent(attempt.agent, end, next.blamesAgent, now);
    this.toWake.add(attempt.agent);
    this.mayPlace = true;
    this.#settle(now, 'farm');
  }

  #judgeAgent(id: AgentId, end: AttemptEnd, isBlamed: boolean, now: number): void {
    const agent = this.agents.get(id)!;
    if (end.kind === 'succeeded') {
      agent.failures = 0;
      agent.quarantinedUntil = null;
      return;
    }
    if (!isBlamed) return;
    agent.failures += 1;
    const ms = quarantineMs(agent.failures);
    if (ms > 0) agent.quarantinedUntil = now + ms;
  }

  #withdrawAssigned(reason: string, now: number): void {
    for (const attempt of this.openAttempts()) {
      if (attempt.state === 'assigned') this.#end(attempt, withdrawn(reason), now, 'coordinator');
    }
  }

  #settle(now: number, cause: 'farm' | 'user'): void {
    const { build } = this;
    const pauseIndex = this.steps.find(({ name }) => name === build.pauseBefore)?.index ?? null;
    for (const job of readyJobs(this.jobs)) {
      const first = Math.min(
        ...this.steps.filter(({ job_id }) => job_id === job.id).map(({ index }) => index),
      );
      if (build.wish === 'pause' || isHeldByPause(first, pauseIndex))
        this.#change(job, { state: 'paused', waitingSince: null }, cause);
      else {
        this.#change(job, { state: 'waiting', waitingSince: now }, cause);
        this.mayPlace = true;
      }
    }
    this.#settleState();
  }

  #settleState(): void {
    const counts = new Map<JobState, number>();
    for (const { state } of this.jobs) counts.set(state, (counts.get(state) ?? 0) + 1);
    this.build.state = buildStateOf(counts, this.build.wish);
  }

  #wakeAll(): void {
    for (const { agent } of this.openAttempts()) this.toWake.add(agent);
  }

  #change(job: ModelJob, change: Partial<ModelJob>, cause: 'farm' | 'user' = 'farm'): void {
    const from = job.state;
    Object.assign(job, change);
    this.revision += 1;
    if (job.state !== from) this.watcher.jobChanged(job, from, cause);
  }

  #step(job: ModelJob, index: number, change: Partial<ModelStep>): void {
    const step = this.steps.find((each) => each.job_id === job.id && each.index === index)!;
    Object.assign(step, change);
  }

  #stepsOf(job: ModelJob): readonly ModelStep[] {
    return this.steps.filter(({ job_id }) => job_id === job.id);
  }

  #resetSteps(job: ModelJob, from: number): void {
    for (const step of this.steps) {
      if (step.job_id !== job.id || step.index < from) continue;
      Object.assign(step, { state: 'waiting', attempt: null, started_at: null, ended_at: null });
    }
  }
}

function lost(reason: string): AttemptEnd {
  return { kind: 'infrastructure', fault: 'lost', at: null, reason };
}

function withdrawn(reason: string): AttemptEnd {
  return { kind: 'withdrawn', reason };
}
