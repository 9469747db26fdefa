import {
  AGENT_PROTOCOL,
  FarmError,
  type AgentId,
  type AttemptId,
  type BuildId,
  type CopiesAnswer,
  type TokenId,
} from '#libs/contracts';
import type { AgentInbox, Message, Wakes } from '#libs/queue';
import {
  attemptsOfBuild,
  findAgent,
  findBuild,
  insertAgent,
  insertBlob,
  insertBuild,
  insertJobs,
  insertManifest,
  jobsOfBuild,
  listAgents,
  listCheckpoints,
  markSent,
  outputsOfBuild,
  resendUnfetched,
  stepsOfBuild,
  takeDuty,
  unsentMessages,
  type FarmDatabase,
} from '#libs/store';
import type { Caller } from '../../apps/coordinator/src/access/caller.js';
import { EndAttempts } from '../../apps/coordinator/src/attempts/end-attempts.js';
import { TakeReports } from '../../apps/coordinator/src/attempts/take-reports.js';
import { BuildActions } from '../../apps/coordinator/src/builds/build-actions.js';
import { AskFingerprints } from '../../apps/coordinator/src/fingerprints/ask-fingerprints.js';
import { settleBuild } from '../../apps/coordinator/src/builds/settle-build.js';
import type { CoordinatorConfig } from '../../apps/coordinator/src/config.js';
import type { CheckpointCopies } from '../../apps/coordinator/src/decide/plan-replicas.js';
import { AgentSessions } from '../../apps/coordinator/src/gateway/agent-sessions.js';
import { AttemptCopies } from '../../apps/coordinator/src/gateway/attempt-copies.js';
import { Claims } from '../../apps/coordinator/src/gateway/claims.js';
import { FindLost } from '../../apps/coordinator/src/loops/find-lost.js';
import type { Metrics } from '../../apps/coordinator/src/metrics.js';
import { SCHEDULE_DUTY } from '../../apps/coordinator/src/scheduling/duty.js';
import { HandOvers } from '../../apps/coordinator/src/scheduling/hand-overs.js';
import { ReuseResults } from '../../apps/coordinator/src/scheduling/reuse-results.js';
import type { Replication } from '../../apps/coordinator/src/scheduling/replication.js';
import { ScheduleJobs } from '../../apps/coordinator/src/scheduling/schedule-jobs.js';
import { Clock, Store } from '../../apps/coordinator/src/store.js';
import { Work } from '../../apps/coordinator/src/work.js';
import { digestOf } from './model-agent.js';
import type { Key, ModelAssignment, ModelCoordinator } from './model-coordinator.js';
import { line, lineOfJob, type Call, type RecordText } from './recording-coordinator.js';
import { HEARTBEAT_MS, LEASE_MS, RULES } from './rules.js';
import { BUILD, FACTS, START, type Shape } from './world.js';

const HOLDER = 'this one';
const CALLER: Caller = { user: 'alice', token: 'k-0' as TokenId, role: 'admin', rights: [] };
const UNFETCHED_MS = 15_000;

class SetClock extends Clock {
  time = START;
  /** By how much somebody has set it ahead. */
  jumpedMs = 0;
  override now(): number {
    return this.time;
  }
  override monotonic(): number {
    return this.time - this.jumpedMs;
  }
}

/** Of the claims: what is overdue is looked for first, and only when it is to be. */
class ClaimClock extends Clock {
  skipsOverdue = false;
  constructor(private readonly clock: Clock) {
    super();
  }
  override now(): number {
    if (!this.skipsOverdue) return this.clock.now();
    this.skipsOverdue = false;
    return 0;
  }
}

/**
 * The coordinator of apps/coordinator on a real database, asked as the model was. Redis is left out: whatever message the model took is given here, since what
 * becomes of a message is the record's to say.
 */
export class RealCoordinator {
  readonly #clock = new SetClock();
  readonly #claimClock = new ClaimClock(this.#clock);
  readonly #store: Store;
  readonly #work: Work;
  readonly #config = {
    leaseMs: LEASE_MS,
    heartbeatMs: HEARTBEAT_MS,
    selfStopMs: RULES.selfStopMs,
    runningPerUser: 1000,
    replicaWaitMs: 60_000,
    maxLogBytes: 1,
    farm: 'farm',
  } as CoordinatorConfig;
  readonly #sessions: AgentSessions;
  readonly #endings: EndAttempts;
  readonly #claims: Claims;
  readonly #reports: TakeReports;
  #lost: FindLost;
  readonly #actions: BuildActions;
  #schedule: ScheduleJobs;
  #message: Message | null = null;
  /** The model's ids of attempts, and of tokens, with the real ones. */
  readonly #attempts = new Map<AttemptId, AttemptId>();
  readonly #tokens = new Map<string, string>();

  constructor(private readonly database: FarmDatabase) {
    this.#store = new Store(database);
    const wakes = { publish: () => Promise.resolve(), subscribe: () => () => undefined };
    const hints = wakes as unknown as Wakes;
    this.#work = new Work(this.#store, hints, this.#clock);
    const inbox = {
      claim: () => {
        const message = this.#message;
        this.#message = null;
        return Promise.resolve(message);
      },
      release: () => Promise.resolve(true),
      finish: () => Promise.resolve(true),
      extend: () => Promise.resolve(true),
    } as unknown as AgentInbox;
    const endings = new EndAttempts(inbox);
    this.#endings = endings;
    this.#claims = new Claims(this.#store, this.#work, inbox, this.#config, this.#claimClock);
    this.#reports = new TakeReports(this.#work, endings);
    this.#lost = this.#newFindLost();
    this.#actions = new BuildActions(
      this.#work,
      endings,
      new AskFingerprints(this.#store, this.#work, hints, this.#config, this.#clock),
    );
    this.#schedule = this.#newSchedule();
    const handOvers = new HandOvers(this.#schedule);
    this.#sessions = new AgentSessions(this.#work, this.#config, endings, inbox, handOvers);
  }

  async submit({ rows }: Shape, agents: readonly AgentId[]): Promise<void> {
    await this.#work.change(async (tx, changes, now) => {
      for (const id of agents) await insertAgent(tx, { id, name: id, keyHash: id, facts: FACTS }, now);
      await insertManifest(tx, 'digest', 'manifest');
      await insertBuild(tx, { ...BUILD_ROW, created_at: now }, [rows.variant]);
      await insertJobs(tx, rows.jobs, rows.steps, rows.keys);
      await settleBuild(tx, changes, now, BUILD, null);
    });
  }

  /** What it answers to what the model was asked, in the model's words. */
  async answer(call: Call): Promise<unknown> {
    switch (call.method) {
      case 'forget':
        this.#schedule = this.#newSchedule();
        this.#lost = this.#newFindLost();
        return undefined;
      case 'hello':
        await this.#hello(...call.args);
        return undefined;
      case 'heartbeat':
        return await this.#heartbeat(...call.args);
      case 'takeOverdue': {
        const [agent, token, now] = call.args;
        return await this.#claim(agent, null, token, now);
      }
      case 'take': {
        const [agent, { attempt, epoch }, token, now] = call.args;
        return await this.#claim(agent, { attempt: this.#real(attempt), epoch }, token, now);
      }
      case 'report':
        return await this.#report(...call.args);
      case 'schedule': {
        this.#clock.time = call.args[0];
        await takeDuty(this.database.db, SCHEDULE_DUTY, HOLDER, this.#clock.time, 5_000);
        const count = await this.#schedule.pass(HOLDER);
        await this.#learnAttempts();
        return count;
      }
      case 'unsent': {
        const messages = await unsentMessages(this.database.db, 100);
        await markSent(
          this.database.db,
          messages.map(({ attempt }) => attempt),
          call.args[0],
        );
        return messages.map(({ attempt, epoch, agent }) => ({
          attempt: this.#modelOf(attempt),
          epoch,
          agent,
        }));
      }
      case 'resend':
        await resendUnfetched(this.database.db, call.args[0] - UNFETCHED_MS);
        return undefined;
      case 'findLost':
        this.#clock.time = call.args[0];
        await this.#lost.pass(call.args[1]);
        return undefined;
      case 'pause':
        return await this.#wish(call.args[1], () =>
          this.#actions.pause(BUILD, { before: call.args[0], why: '' }, CALLER),
        );
      case 'resume':
        return await this.#wish(call.args[1], () =>
          this.#actions.resume(
            BUILD,
            { from: call.args[0], variant: null, onAgent: null, pauseBefore: null, why: '' },
            CALLER,
          ),
        );
      case 'cancel':
        return await this.#wish(call.args[0], () => this.#actions.cancel(BUILD, { why: '' }, CALLER));
    }
  }

  /** What is on record, as `textOfModel` writes it. */
  async record(): Promise<RecordText> {
    const { db } = this.database;
    const build = (await findBuild(db, BUILD))!;
    const jobs = await jobsOfBuild(db, BUILD);
    const indexOf = new Map<string, number>(jobs.map(({ id, index }) => [id, index]));
    const modelOf = (id: AttemptId | null): AttemptId | null => (id === null ? null : this.#modelOf(id));
    const outbox = await db.selectFrom('outbox').select(['attempt_id', 'sent_at']).execute();
    return [
      line('build', build.state, build.wish, build.pause_before),
      ...jobs.map((job) => lineOfJob(job, job.waiting_since)),
      ...(await stepsOfBuild(db, BUILD)).map(({ index, state, attempt_id }) =>
        line('step', index, state, modelOf(attempt_id)),
      ),
      ...(await attemptsOfBuild(db, BUILD)).map((row) =>
        line(
          'attempt',
          modelOf(row.id),
          row.agent_id,
          row.state,
          row.lease_until,
          row.last_seq,
          row.lineage,
          row.end?.kind ?? null,
        ),
      ),
      ...(await listCheckpoints(db)).map(({ agentId, id, lineage }) =>
        line('checkpoint', agentId, id, lineage),
      ),
      ...(await outputsOfBuild(db, BUILD)).map(({ jobId, path, attemptId, ...tree }) =>
        line('output', `${indexOf.get(jobId)}:${path}`, modelOf(attemptId), digestOf(tree)),
      ),
      ...outbox.map(({ attempt_id, sent_at }) => line('message', modelOf(attempt_id), sent_at)),
      ...(await listAgents(db)).map(({ id, instance, lastSeenAt, lostAt, failures, quarantinedUntil }) =>
        line('agent', id, instance, lastSeenAt, lostAt, failures, quarantinedUntil),
      ),
    ].toSorted();
  }

  /** What the attempt is told of the copies of a checkpoint, which are at each look where `looks` says. */
  async askCopies(agent: AgentId, key: Key, looks: readonly CheckpointCopies[]): Promise<CopiesAnswer> {
    const left = [...looks];
    const replication = { copiesFor: () => Promise.resolve(left.shift()!) } as unknown as Replication;
    const copies = new AttemptCopies(this.#store, this.#work, replication, this.#config, this.#clock);
    return await copies.ask(
      { agent, ...this.#realKey(key) },
      { id: 'c-1', workspace: 'build_data', label: '.step_b' },
    );
  }

  /** Somebody sets its clock ahead. */
  jump(ms: number): void {
    this.#clock.jumpedMs += ms;
  }

  #newFindLost(): FindLost {
    return new FindLost(this.#store, this.#work, this.#endings, this.#config, this.#clock);
  }

  #newSchedule(): ScheduleJobs {
    const metrics = { countPass: () => undefined } as unknown as Metrics;
    const results = new ReuseResults(this.#store, this.#work, this.#clock);
    return new ScheduleJobs(this.#store, this.#work, this.#config, this.#clock, metrics, results);
  }

  async #hello(...[id, hello, now]: Parameters<ModelCoordinator['hello']>): Promise<void> {
    this.#clock.time = now;
    const agent = (await findAgent(this.database.db, id))!;
    await this.#sessions.hello(agent, {
      protocol: AGENT_PROTOCOL,
      instance: hello.instance,
      facts: FACTS,
      peer: { host: 'localhost', port: 1 },
      spooled: hello.spooled.map(({ attempt, epoch }) => ({ attempt: this.#real(attempt), epoch })),
      holdings: [...hello.holdings],
      areas: [],
    });
  }

  async #heartbeat(...[id, beat, now]: Parameters<ModelCoordinator['heartbeat']>): Promise<unknown> {
    this.#clock.time = now;
    const agent = (await findAgent(this.database.db, id))!;
    const answer = await refusable(() =>
      this.#sessions.heartbeat(agent, {
        instance: beat.instance,
        load: { cpu: 0, freeMemoryBytes: 0 },
        freeBytes: FACTS.freeBytes,
        usedBytes: 0,
        attempts: beat.attempts.map((key) => this.#realKey(key)),
        dropped: [],
        leaving: false,
      }),
    );
    if (answer === null) return null;
    return answer.leases.map((lease) => ({ ...lease, attempt: this.#modelOf(lease.attempt) }));
  }

  /** @param message `null`: none came; what is overdue is given */
  async #claim(id: AgentId, message: Message | null, token: string, now: number): Promise<unknown> {
    this.#clock.time = now;
    this.#message = message;
    this.#claimClock.skipsOverdue = message !== null;
    const agent = (await findAgent(this.database.db, id))!;
    const given = await this.#claims.claim(agent, agent.instance!, new AbortController().signal);
    if (given === null) return null;
    this.#tokens.set(token, given.token);
    return {
      attempt: this.#modelOf(given.attempt),
      epoch: given.epoch,
      token,
      jobIndex: given.jobIndex,
      lineage: given.lineage,
      ancestry: given.ancestry,
      pauseBefore: given.pauseBefore,
      elsewhere: given.elsewhere.map(({ id }) => id).toSorted(),
      publishEnd: given.publishEnd,
      imports: given.imports.map(({ path, tree }) => ({ path, tree: digestOf(tree) })),
      base:
        given.base === null
          ? null
          : { ...given.base, tree: given.base.tree === null ? null : digestOf(given.base.tree) },
    };
  }

  async #report(
    ...[agent, key, reports, now]: Parameters<ModelCoordinator['report']>
  ): Promise<number | null> {
    this.#clock.time = now;
    const { db } = this.database;
    for (const { event } of reports) {
      if ('tree' in event) await insertBlob(db, { sha256: digestOf(event.tree), bytes: 0 }, now);
    }
    return await refusable(() => this.#reports.take({ agent, ...this.#realKey(key) }, reports));
  }

  async #wish(now: number, act: () => Promise<void>): Promise<boolean> {
    this.#clock.time = now;
    return (
      (await refusable(async () => {
        await act();
        return true;
      })) ?? false
    );
  }

  async #learnAttempts(): Promise<void> {
    const jobs = await jobsOfBuild(this.database.db, BUILD);
    for (const { id, job_id, epoch } of await attemptsOfBuild(this.database.db, BUILD)) {
      const index = jobs.find((job) => job.id === job_id)!.index;
      this.#attempts.set(`t-${index}.${epoch}` as AttemptId, id);
    }
  }

  #realKey({ attempt, epoch, token }: Key): Key {
    return { attempt: this.#real(attempt), epoch, token: this.#tokens.get(token)! };
  }

  #real(model: AttemptId): AttemptId {
    return this.#attempts.get(model)!;
  }

  #modelOf(real: AttemptId): AttemptId {
    return [...this.#attempts].find(([, id]) => id === real)![0];
  }
}

/** An assignment with its lists in no order. */
export function comparable(answer: unknown): unknown {
  if (answer === null || typeof answer !== 'object' || !('elsewhere' in answer)) return answer;
  const assignment = answer as ModelAssignment;
  const ids = assignment.elsewhere.map((each) => (typeof each === 'string' ? each : each.id));
  return { ...assignment, elsewhere: ids.toSorted() };
}

/** `null`: the farm refused it, in words. */
async function refusable<T>(call: () => Promise<T>): Promise<T | null> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof FarmError && error.code !== 'INVALID' && error.code !== 'INTERNAL') return null;
    throw error;
  }
}

const BUILD_ROW = {
  replicas: 0,
  waits_for_replicas: 0,
  reuse: 0,
  trusted: 0,
  id: BUILD satisfies BuildId,
  name: 'Test',
  user: 'alice',
  idempotency_key: null,
  manifest_sha256: 'digest',
  manifest_path: 'm.xml',
  files: [],
  source_date_epoch: 1,
  priority: 'normal',
  on_agent: null,
  note: '',
  wish: 'run',
  pause_before: null,
  state: 'waiting',
  waits: 0,
  started_at: null,
  ended_at: null,
  collected_at: null,
} as const;
