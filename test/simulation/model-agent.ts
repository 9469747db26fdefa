import type {
  AgentId,
  AttemptEnd,
  AttemptId,
  InfrastructureFault,
  ReportEvent,
  StepOutcome,
} from '#libs/contracts';
import type { Boundary, Checkpoint, Job, Plan, PlannedStep } from '#libs/plan';
import { AttemptControl } from '../../apps/agent/src/attempts/attempt.js';
import { endOfStop } from '../../apps/agent/src/attempts/attempt-end.js';
import { heartbeatTimeoutMs, nextHeartbeatMs } from '../../apps/agent/src/leases/lease-decisions.js';
import type { ModelAssignment } from './model-coordinator.js';
import { ModelSpool } from './model-spool.js';
import { Busy, holdingOf, ModelStore, type Content, type ModelCheckpoint } from './model-store.js';
import { HEARTBEAT_MS } from './rules.js';
import { run, until, type Program } from './virtual-time.js';
import type { ClaimAnswer, World } from './world.js';

const SLOTS = 2;
const IDLE_HEARTBEAT_MS = 25_000;
const CLAIM_TIMEOUT_MS = 35_000;
const CALL_TIMEOUT_MS = 30_000;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 15_000;
/** Late by so much at the most is a lease noticed to have run out. */
const WATCH_MS = 500;

interface HeldLease {
  readonly attempt: AttemptId;
  readonly control: AttemptControl;
  renewedAtMs: number;
}

/** One attempt while an agent has it. */
interface Attempt {
  readonly assignment: ModelAssignment;
  readonly control: AttemptControl;
  readonly job: Job;
  readonly report: (event: ReportEvent) => void;
}

type Pause = 'process' | 'host';

/**
 * A host with its agent, as apps/agent: what it holds on disk, a process that may be killed, stopped and started again, a monotonic clock that is somewhat fast or
 * slow. It decides with the product's own functions.
 */
export class ModelAgent {
  readonly store: ModelStore;
  isUp = false;
  isGone = false;
  paused: Pause | null = null;
  /** Counts the starts of its process: what an earlier process began does not go on. */
  process = 0;
  #spools: ModelSpool[] = [];
  #held = new Map<AttemptId, HeldLease>();
  #running = new Set<AttemptControl>();
  #beatNow: () => void = () => undefined;
  #slotFree: () => void = () => undefined;
  #wantsBeat = false;
  #isWatching = false;
  #isStoreInUse = false;
  #waitForStore: (() => void)[] = [];
  #frozenMs = 0;
  #frozenSince = 0;
  #timers: (() => void)[] = [];
  #messages: (() => void)[] = [];

  constructor(
    readonly id: AgentId,
    private readonly world: World,
    /** Of its clock: 1 keeps time. */
    private readonly rate: number,
  ) {
    this.store = new ModelStore(() => `${id}-${(world.checkpoints += 1)}`);
  }

  get instance(): string {
    return `${this.id}.${this.process}`;
  }

  /** Has something to run or to tell. */
  get isBusy(): boolean {
    return this.#running.size > 0 || this.#spools.length > 0;
  }

  start(): void {
    if (this.isGone || this.isUp) return;
    this.isUp = true;
    this.process += 1;
    this.#held = new Map();
    this.#running = new Set();
    this.#isWatching = false;
    this.#isStoreInUse = false;
    this.#waitForStore = [];
    this.#run(this.#main());
  }

  /** As `kill -9`, or as when the power fails: then what was not on disk is lost. */
  kill(losesTail: boolean): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.paused = null;
    this.#timers = [];
    this.#messages = [];
    for (const [workspace] of this.store.processes) this.world.watch.stepStopped(this.id, workspace);
    this.store.processes.clear();
    if (losesTail) for (const spool of this.#spools) spool.loseTail();
    this.world.dropParked(this.id);
  }

  /** SIGSTOP for the agent's process, whose steps go on; or for the whole host, whose clock stands still, too. */
  pause(kind: Pause): void {
    if (!this.isUp || this.paused !== null) return;
    this.paused = kind;
    this.#frozenSince = this.world.now;
  }

  goOn(): void {
    if (this.paused === null) return;
    if (this.paused === 'host') this.#frozenMs += this.world.now - this.#frozenSince;
    this.paused = null;
    // A process that wakes up looks at its timers first.
    const late = [...this.#timers, ...this.#messages];
    this.#timers = [];
    this.#messages = [];
    for (const happen of late) {
      if (this.isUp) happen();
    }
  }

  /** By its monotonic clock. */
  localNow(): number {
    const frozen = this.paused === 'host' ? this.world.now - this.#frozenSince : 0;
    return (this.world.now - this.#frozenMs - frozen) * this.rate;
  }

  /** In this process, if it still lives; later when it is paused. */
  after(ms: number, happen: () => void): void {
    this.#later(ms, happen, (late) => this.#timers.push(late));
  }

  /** Something comes in from the network. */
  receive(ms: number, happen: () => void): void {
    this.#later(ms, happen, (late) => this.#messages.push(late));
  }

  #later(ms: number, happen: () => void, defer: (happen: () => void) => void): void {
    const { process } = this;
    const inTime = (): void => {
      if (!this.isUp || this.process !== process) return;
      if (this.paused === null) happen();
      else defer(happen);
    };
    this.world.after(ms / this.rate, inTime);
  }

  wake(): void {
    this.#wantsBeat = true;
    this.#beatNow();
  }

  #run(program: Program): void {
    const { process } = this;
    run(program, () => this.isUp && this.process === process);
  }

  *#main(): Program {
    const left = this.#spools;
    for (const spool of left) {
      spool.isComplete = true;
      if (!spool.isEnded) spool.add({ type: 'ended', end: fault('lost', 'killed, and back'), logBytes: 0 });
    }
    const body = {
      instance: this.instance,
      spooled: left.map(({ key }) => key),
      holdings: this.store.all().map(holdingOf),
    };
    yield* this.#persistently(() => {
      this.world.hello(this.id, body);
      return true;
    });
    for (const spool of left) this.#run(this.#deliver(spool, null));
    this.#run(this.#heartbeats());
    this.#run(this.#claims());
  }

  *#heartbeats(): Program {
    for (;;) {
      yield* this.#beat();
      if (!this.#wantsBeat) {
        yield* until<undefined>((resume) => {
          let isOver = false;
          const once = (): void => {
            if (isOver) return;
            isOver = true;
            resume(undefined);
          };
          this.#beatNow = once;
          // Whoever runs nothing says nothing, and need not say it so often.
          const everyMs = this.#held.size > 0 ? HEARTBEAT_MS : IDLE_HEARTBEAT_MS;
          this.after(nextHeartbeatMs(everyMs, this.world.chance.next()), once);
        });
      }
      this.#wantsBeat = false;
    }
  }

  *#beat(): Program {
    const { selfStopMs, newsOf } = this.world.rules;
    this.#stopRunOut();
    const sentAtMs = this.localNow();
    const held = [...this.#held.values()];
    const { instance } = this;
    const attempts = held.map(({ control }) => control.key);
    const answer = yield* this.#call(heartbeatTimeoutMs(HEARTBEAT_MS, selfStopMs), () => ({
      leases: this.world.heartbeat(this.id, { instance, attempts }),
    }));
    if (answer === null) return;
    const { leases } = answer;
    if (leases === null) {
      // Another process has said hello since. This one ends, and its host starts it anew.
      this.world.refused(this);
      return;
    }
    for (const lease of held) {
      const news = newsOf(lease.attempt, { leases: [...leases] });
      if (news.kind === 'unanswered' || this.#held.get(lease.attempt) !== lease) continue;
      if (news.kind === 'renewed') {
        lease.renewedAtMs = sentAtMs;
        lease.control.want(news);
      } else {
        this.#held.delete(lease.attempt);
        lease.control.stop('stale');
      }
    }
  }

  #hold(control: AttemptControl, renewedAtMs: number): void {
    const { attempt } = control.key;
    this.#held.set(attempt, { attempt, control, renewedAtMs });
    this.#watchLeases();
    this.wake();
  }

  /** Looks when the first of its leases could have run out; apps/agent looks twice a second, and finds nothing in between. */
  #watchLeases(): void {
    if (this.#isWatching || this.#held.size === 0) return;
    this.#isWatching = true;
    const oldest = Math.min(...[...this.#held.values()].map(({ renewedAtMs }) => renewedAtMs));
    this.after(Math.max(0, oldest + this.world.rules.selfStopMs - this.localNow()) + WATCH_MS, () => {
      this.#isWatching = false;
      this.#stopRunOut();
      this.#watchLeases();
    });
  }

  #stopRunOut(): void {
    const { runOut, selfStopMs } = this.world.rules;
    for (const attempt of runOut(this.#held.values(), this.localNow(), selfStopMs)) {
      this.#held.get(attempt)?.control.stop('lease-lost');
      this.#held.delete(attempt);
    }
  }

  *#claims(): Program {
    let delayMs = FIRST_DELAY_MS;
    for (;;) {
      if (this.#running.size >= SLOTS) {
        yield* until<undefined>((resume) => {
          this.#slotFree = () => resume(undefined);
        });
        this.#slotFree = () => undefined;
        continue;
      }
      const { instance } = this;
      const sentAtMs = this.localNow();
      const answer = yield* until<ClaimAnswer | null>((resume) =>
        this.world.request(
          this,
          CLAIM_TIMEOUT_MS,
          (reply) => this.world.claim(this.id, instance, reply),
          resume,
        ),
      );
      if (answer === null) {
        yield* this.#sleep(delayMs);
        delayMs = Math.min(LONGEST_DELAY_MS, delayMs * 2);
        continue;
      }
      delayMs = FIRST_DELAY_MS;
      if (answer.assignment === null) continue;
      const { grantedAtMs } = this.world.rules;
      this.#begin(answer.assignment, grantedAtMs(sentAtMs, answer.waitedMs, this.localNow()));
    }
  }

  #begin(assignment: ModelAssignment, grantedAtMs: number): void {
    const control = new AttemptControl(assignment, assignment.pauseBefore);
    const spool = new ModelSpool(assignment);
    this.#spools.push(spool);
    this.#hold(control, grantedAtMs);
    this.#running.add(control);
    this.#run(this.#deliver(spool, control));
    this.#run(this.#work(assignment, control, spool));
  }

  *#work(assignment: ModelAssignment, control: AttemptControl, spool: ModelSpool): Program {
    const report = (event: ReportEvent): void => {
      const kind = control.stopped?.kind;
      if (kind !== 'lease-lost' && kind !== 'stale') spool.add(event);
    };
    const job = this.world.plan.jobs[assignment.jobIndex]!;
    const end = yield* this.#runAssignment({ assignment, control, job, report });
    if (end !== null) report({ type: 'ended', end, logBytes: 0 });
    spool.complete();
    this.#running.delete(control);
    this.#slotFree();
  }

  *#deliver(spool: ModelSpool, control: AttemptControl | null): Program {
    const { key } = spool;
    for (;;) {
      const wasComplete = spool.isComplete;
      const reports = spool.pending();
      if (reports.length > 0) {
        const answer = yield* this.#persistently(() => ({
          acknowledged: this.world.report(this.id, key, reports),
        }));
        if (answer.acknowledged === null) {
          control?.stop('stale');
          if (!spool.isComplete) yield* this.#untilGrown(spool, () => spool.isComplete);
          break;
        }
        spool.acknowledge(answer.acknowledged);
      } else if (wasComplete) break;
      else yield* this.#untilGrown(spool, () => true);
    }
    if (control !== null) this.#held.delete(control.key.attempt);
    this.#spools = this.#spools.filter((each) => each !== spool);
  }

  *#untilGrown(spool: ModelSpool, isEnough: () => boolean): Program {
    yield* until<undefined>((resume) => {
      spool.onGrowth = () => {
        if (!isEnough()) return;
        spool.onGrowth = () => undefined;
        // Delivered by another turn of the agent's loop.
        this.after(0, () => resume(undefined));
      };
    });
  }

  *#runAssignment(attempt: Attempt): Program<AttemptEnd | null> {
    const { control, report, job } = attempt;
    try {
      report({ type: 'phase', phase: 'fetching' });
      if (yield* this.#sleepOrStop(50, 500, control)) return endOfStop(control.stopped!, null);
      yield* this.#fetchMissing(attempt);
      if (isStopped(control)) return endOfStop(control.stopped!, null);
      const end = yield* this.#runSteps(attempt);
      if (end !== 'finished') return end;
      yield* this.#publish(attempt);
      return isStopped(control) ? endOfStop(control.stopped!, null) : { kind: 'succeeded' };
    } catch (error) {
      if (!(error instanceof Busy)) throw error;
      return control.stopped === null
        ? fault('store', error.message, job.steps[0]!.index)
        : endOfStop(control.stopped, null);
    }
  }

  *#fetchMissing({ assignment, control, job, report }: Attempt): Program {
    const { plan, rules } = this.world;
    const own = this.store.list(job.workspace);
    const known = new Map(own.map((checkpoint) => [checkpoint.id, checkpoint]));
    for (const wanted of rules.missingCheckpoints(plan, job, own, assignment.elsewhere, assignment)) {
      const without: AgentId[] = [];
      let fetched: ModelCheckpoint | null = null;
      while (fetched === null) {
        const { source } = yield* this.#persistently(() => ({
          source: this.world.sourceOf(this.id, wanted.id, without),
        }));
        if (control.stopped !== null) return;
        if (source === null) break;
        if (yield* this.#sleepOrStop(200, 5_000, control)) return;
        fetched = this.world.sentBy(source, this, wanted.id);
        if (fetched === null) without.push(source);
      }
      if (fetched === null) {
        this.world.watch.fetchFailed(assignment.attempt);
        report({ type: 'warning', text: `nobody can send ${wanted.label}` });
        return;
      }
      const received = fetched;
      yield* this.#inStore(0, () => this.store.receive(received, known.get(wanted.previous) ?? null));
      known.set(fetched.id, fetched);
      report({ type: 'checkpoint-fetched', holding: holdingOf(fetched), from: 'other', bytes: 0, ms: 0 });
    }
  }

  *#runSteps(attempt: Attempt): Program<AttemptEnd | null | 'finished'> {
    const { assignment, control, job, report } = attempt;
    const { plan, rules, watch } = this.world;
    const checkpoints = this.store.list(job.workspace);
    const chain = rules.findResumableInJob(plan, job, checkpoints, assignment).held;
    for (const { boundary, checkpoint } of chain) this.#tell(attempt, boundary, checkpoint);
    report({ type: 'phase', phase: 'running' });
    const newest = chain.at(-1);
    const resumeAt = newest === undefined ? job.steps[0]!.index : (newest.boundary.before?.index ?? Infinity);
    watch.startsAt(this, assignment, job, resumeAt);
    let previous = newest?.checkpoint.id ?? '';
    if (newest === undefined) {
      const opened = yield* this.#inStore(0, () =>
        this.#openNew(attempt) ? this.#take(attempt, firstBoundary(plan, job), '') : null,
      );
      if (opened === null) return fault('base-missing', 'nobody published it');
      previous = opened;
    } else {
      const from = checkpoints.find(({ id }) => id === newest.checkpoint.id)!;
      yield* this.#inStore(0, () => this.store.startFrom(from, job.workspace));
      const { before } = newest.boundary;
      if (before !== null) report({ type: 'resumed', before: before.index, checkpoint: previous });
    }
    for (const step of job.steps.filter(({ index }) => index >= resumeAt)) {
      if (this.#pausesBefore(control, step)) return { kind: 'paused', before: step.index };
      if (control.stopped !== null) return endOfStop(control.stopped, step.index);
      const outcome = yield* this.#runStep(attempt, step);
      if (outcome.kind === 'interrupted') return endOfStop(control.stopped!, step.index);
      if (outcome.kind !== 'succeeded') return { kind: 'failed', step: step.index, outcome };
      const behind = plan.boundaries.find(
        ({ job: index, after }) => index === job.index && after?.index === step.index,
      );
      if (behind === undefined) continue;
      const before: string = previous;
      previous = yield* this.#inStore(1_000, () => this.#take(attempt, behind, before));
    }
    return 'finished';
  }

  /** False: what it goes on from is not to be had. */
  #openNew({ assignment, job, report }: Attempt): boolean {
    const { base } = assignment;
    const { plan, rules } = this.world;
    if (base === null) this.store.startEmpty(job.workspace);
    else {
      let held = rules.findBase(this.store.list(base.workspace), base);
      if (held === undefined) {
        if (base.tree === null || job.base.kind === 'empty') return false;
        this.store.startEmpty(base.workspace);
        this.store.write(base.workspace, contentOf(base.tree));
        held = this.store.takeBase(plan, job.base.boundary, { lineage: base.lineage, tree: base.tree });
      }
      this.store.startFrom(held, job.workspace);
    }
    for (const { path } of assignment.imports) {
      this.store.write(job.workspace, [...this.store.contentOf(job.workspace), `+${path}`]);
      report({ type: 'output-imported', lane: '', path, treeSha256: '' });
    }
    return true;
  }

  /** The id of the checkpoint that was taken. */
  #take(attempt: Attempt, boundary: Boundary, previous: string): string {
    const { lineage } = attempt.assignment;
    const checkpoint = this.store.take(this.world.plan, boundary, previous, lineage);
    this.#tell(attempt, boundary, checkpoint);
    return checkpoint.id;
  }

  #tell({ report }: Attempt, { before }: Boundary, checkpoint: Checkpoint): void {
    report({ type: 'checkpoint-taken', before: before?.index ?? null, holding: holdingOf(checkpoint) });
  }

  /** The store's operations in an area wait for each other. */
  *#inStore<T>(longestMs: number, work: () => T): Program<T> {
    while (this.#isStoreInUse) {
      yield* until<undefined>((resume) => this.#waitForStore.push(() => resume(undefined)));
    }
    this.#isStoreInUse = true;
    try {
      if (longestMs > 0) yield* this.#sleep(this.world.chance.between(10, longestMs));
      return work();
    } finally {
      this.#isStoreInUse = false;
      this.#waitForStore.shift()?.();
    }
  }

  #pausesBefore(control: AttemptControl, step: PlannedStep): boolean {
    const pause = this.world.plan.steps.find(({ name }) => name === control.pauseBefore);
    return control.pausesNow || (pause !== undefined && step.index >= pause.index);
  }

  *#runStep({ assignment, control, job, report }: Attempt, step: PlannedStep): Program<StepOutcome> {
    const { world, store } = this;
    const { workspace } = job;
    report({ type: 'step-started', step: step.index });
    world.watch.stepStarts(this, assignment, job, step);
    const before = store.contentOf(workspace);
    const done = `${step.name}/${generationOf(assignment.lineage)}/${assignment.attempt}`;
    const process = { step: step.name };
    store.processes.set(workspace, process);
    store.write(workspace, [...before, `~${done}`]);
    const outcome = yield* until<StepOutcome>((resume) => {
      const finish = (outcome: StepOutcome): void => {
        if (store.processes.get(workspace) !== process) return;
        // All of the host stands still.
        if (this.paused === 'host') {
          this.#timers.push(() => finish(outcome));
          return;
        }
        store.processes.delete(workspace);
        world.watch.stepStopped(this.id, workspace);
        if (outcome.kind === 'succeeded') store.write(workspace, [...before, done]);
        this.receive(0, () => resume(outcome));
      };
      // One in five outlives a lease.
      const isLong = world.chance.next() < 0.2;
      const ms = isLong ? world.chance.between(30_000, 150_000) : world.chance.between(1_000, 25_000);
      world.after(ms, () => finish(world.outcomeOf(step)));
      control.signal.addEventListener('abort', () => {
        const interrupted = { kind: 'interrupted', reason: 'stopped' } as const;
        world.after(world.chance.between(10, 10_500), () => finish(interrupted));
      });
      world.stepBegan(this, step);
    });
    report({ type: 'step-ended', step: step.index, outcome });
    return outcome;
  }

  *#publish({ assignment, control, job, report }: Attempt): Program {
    report({ type: 'phase', phase: 'publishing' });
    const { plan } = this.world;
    const content = this.store.contentOf(job.workspace);
    yield* this.#persistently(() => true);
    if (yield* this.#sleepOrStop(100, 5_000, control)) return;
    for (const path of job.steps.flatMap(({ outputs }) => outputs))
      report({ type: 'output-published', path, tree: treeOf(content) });
    if (!assignment.publishEnd) return;
    const { workspace, label } = plan.boundaries.find(
      ({ job: index, before }) => index === job.index && before === null,
    )!;
    report({ type: 'end-published', workspace, label, tree: treeOf(content) });
  }

  *#call<T>(timeoutMs: number, handle: () => T): Program<T | null> {
    return yield* until<T | null>((resume) =>
      this.world.request(this, timeoutMs, (reply) => reply(handle()), resume),
    );
  }

  *#persistently<T>(handle: () => T): Program<T> {
    for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(LONGEST_DELAY_MS, delayMs * 2)) {
      const answer = yield* this.#call(CALL_TIMEOUT_MS, handle);
      if (answer !== null) return answer;
      yield* this.#sleep(delayMs);
    }
  }

  *#sleep(ms: number): Program {
    yield* until<undefined>((resume) => this.after(ms, () => resume(undefined)));
  }

  /** True: it was told to stop. */
  *#sleepOrStop(lowMs: number, highMs: number, control: AttemptControl): Program<boolean> {
    if (control.stopped === null) yield* this.#sleep(this.world.chance.between(lowMs, highMs));
    return control.stopped !== null;
  }
}

/** As it is now: it changes while a course of action waits. */
function isStopped({ stopped }: AttemptControl): boolean {
  return stopped !== null;
}

function firstBoundary(plan: Plan, job: Job): Boundary {
  return plan.boundaries.find((boundary) => boundary.job === job.index)!;
}

function generationOf(lineage: string): string {
  return lineage.slice(lineage.lastIndexOf('/') + 1);
}

/** A digest is what it is the digest of. */
function treeOf(content: Content) {
  return { pieces: [{ sha256: content.join(' '), bytes: 0 }], treeSha256: '' };
}

export function digestOf({ pieces }: { readonly pieces: readonly { readonly sha256: string }[] }): string {
  return pieces.map(({ sha256 }) => sha256).join();
}

export function contentOf(sha256: string): Content {
  return sha256 === '' ? [] : sha256.split(' ');
}

function fault(kind: InfrastructureFault, reason: string, at: number | null = null): AttemptEnd {
  return { kind: 'infrastructure', fault: kind, at, reason };
}
