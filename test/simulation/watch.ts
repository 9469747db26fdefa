import type { AgentId, AttemptEnd, AttemptId, JobState } from '#libs/contracts';
import type { Job, Plan, PlannedStep } from '#libs/plan';
import { MOST_RETRIES } from '../../apps/coordinator/src/decide/after-attempt.js';
import type { ModelAgent } from './model-agent.js';
import { contentOf } from './model-agent.js';
import type {
  ModelAssignment,
  ModelAttempt,
  ModelCoordinator,
  ModelJob,
  RecordWatcher,
} from './model-coordinator.js';
import type { Content } from './model-store.js';
import { LEASE_MS } from './rules.js';

/** What the farm promises does not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** How a job may move by itself; only a user's word moves it otherwise. */
const MOVES: Readonly<Record<JobState, readonly JobState[]>> = {
  blocked: ['waiting', 'paused'],
  waiting: ['assigned'],
  assigned: ['running', 'waiting', 'paused', 'cancelled'],
  running: ['succeeded', 'failed', 'paused', 'cancelled', 'waiting'],
  paused: [],
  succeeded: [],
  failed: [],
  cancelled: [],
};
const BY_A_USER: Readonly<Record<JobState, readonly JobState[]>> = {
  blocked: ['waiting', 'paused', 'cancelled'],
  waiting: ['blocked', 'paused', 'cancelled'],
  assigned: [],
  running: [],
  paused: ['blocked', 'cancelled'],
  succeeded: ['blocked'],
  failed: ['blocked'],
  cancelled: ['blocked'],
};

/** The coordinator looks for lost agents so often. */
export const LOST_PASS_MS = 5_000;

interface RunningStep {
  readonly agent: ModelAgent;
  readonly job: number;
  readonly attempt: AttemptId;
}

/** Sees the record and all hosts at once, which nobody in the farm can, and judges. Throws Violation. */
export class Watch implements RecordWatcher {
  readonly #ended = new Set<AttemptId>();
  readonly #renewedAt = new Map<AttemptId, number>();
  readonly #faults = new Map<number, number>();
  readonly #running = new Map<string, RunningStep>();
  readonly #lastStep = new Map<AttemptId, number>();
  readonly #fetchFailed = new Set<AttemptId>();
  readonly #takenAt = new Map<AttemptId, number>();
  /** Fetched, and ended before their lease was over since a heartbeat did not name them. */
  readonly #takenBack = new Set<AttemptId>();
  readonly #stoodStillUntil = new Map<AgentId, number>();
  /** Which execution of a step the jobs behind go on from; by the lineage that they go on from, and the step. */
  readonly #counting = new Map<string, string>();
  #coordinatorSince = 0;

  constructor(
    private readonly plan: Plan,
    private readonly coordinator: ModelCoordinator,
  ) {}

  jobChanged(job: ModelJob, from: JobState, cause: 'farm' | 'user'): void {
    const allowed = cause === 'farm' ? MOVES : BY_A_USER;
    if (!allowed[from].includes(job.state))
      throw new Violation(`job ${job.index} went from ${from} to ${job.state} (by the ${cause})`);
    if (cause === 'user' && job.state === 'blocked') this.#faults.delete(job.index);
    const open = this.coordinator.openAttempts().filter((attempt) => attempt.job === job);
    if (open.length > 1) throw new Violation(`job ${job.index} has two open attempts`);
  }

  attemptEnded({ id, job, state }: ModelAttempt, end: AttemptEnd, by: string, now: number): void {
    if (this.#ended.has(id)) throw new Violation(`attempt ${id} ended twice`);
    this.#ended.add(id);
    if (by === 'lease') this.#requireExpired(id, now);
    if (by === 'coordinator' && end.kind === 'withdrawn' && this.#takenAt.has(id)) this.#takenBack.add(id);
    if (by === 'coordinator' && end.kind === 'withdrawn' && this.#wasNamed(id))
      throw new Violation(`attempt ${id} was taken back as if it had never arrived`);
    if (end.kind !== 'infrastructure' || end.fault === 'stopped' || state !== 'ended') return;
    const faults = (this.#faults.get(job.index) ?? 0) + 1;
    this.#faults.set(job.index, faults);
    if (faults > MOST_RETRIES + 1) throw new Violation(`job ${job.index} was tried ${faults} times`);
  }

  progressed(job: ModelJob): void {
    this.#faults.delete(job.index);
  }

  coordinatorStarted(now: number): void {
    this.#coordinatorSince = now;
  }

  renewed(attempt: AttemptId, now: number): void {
    this.#renewedAt.set(attempt, now);
  }

  taken(attempt: AttemptId, now: number): void {
    if (this.#takenAt.has(attempt)) throw new Violation(`attempt ${attempt} was handed out twice`);
    this.#takenAt.set(attempt, now);
    this.renewed(attempt, now);
  }

  /** Within the lease, and one pass. */
  lookedForLost(now: number): void {
    for (const { id, assignedAt } of this.coordinator.openAttempts()) {
      const from = Math.max(this.#renewedAt.get(id) ?? assignedAt, this.#coordinatorSince);
      if (now - from > LEASE_MS + LOST_PASS_MS)
        throw new Violation(`attempt ${id} is lost, and nobody noticed`);
    }
  }

  /** @param accepted what the record says to reports that were made under this attempt */
  requireUnchangedByStale(attempt: ModelAttempt | undefined, wasCurrent: boolean, hasChanged: boolean): void {
    if (hasChanged && !wasCurrent) throw new Violation(`a stale report of ${attempt?.id} changed the record`);
  }

  fetchFailed(attempt: AttemptId): void {
    this.#fetchFailed.add(attempt);
  }

  /** Nobody repeats a step whose state is at hand. */
  startsAt(agent: ModelAgent, assignment: ModelAssignment, job: Job, resumeAt: number): void {
    const own = agent.store
      .list(job.workspace)
      .map(({ label, facts }) => ({ label, lineage: facts['build']! }));
    const all = this.#fetchFailed.has(assignment.attempt) ? own : [...own, ...assignment.elsewhere];
    for (const { label, lineage } of all) {
      const boundary = this.plan.boundaries.find((each) => each.job === job.index && each.label === label);
      if (boundary === undefined) continue;
      const at = boundary.before?.index ?? Infinity;
      if (at > resumeAt && this.#isOfLineage(assignment, lineage, at))
        throw new Violation(
          `${assignment.attempt} starts at step ${resumeAt}, and ${label} of ${lineage} is held`,
        );
    }
  }

  stepStarts(agent: ModelAgent, assignment: ModelAssignment, job: Job, step: PlannedStep): void {
    const { attempt } = assignment;
    const where = `${agent.id} ${job.workspace}`;
    if (this.#running.has(where)) throw new Violation(`two steps run in ${where}`);
    const twin = [...this.#running.values()].find((other) => other.job === job.index);
    if (
      twin !== undefined &&
      !this.#mayGoOn(agent.id, attempt) &&
      !this.#mayGoOn(twin.agent.id, twin.attempt)
    )
      throw new Violation(`${agent.id} and ${twin.agent.id} run steps of job ${job.index}`);
    this.#running.set(where, { agent, job: job.index, attempt });
    const last = this.#lastStep.get(attempt);
    if (last !== undefined && step.index !== last + 1)
      throw new Violation(`${attempt} runs step ${step.index} after step ${last}`);
    this.#lastStep.set(attempt, step.index);
    const content = agent.store.contentOf(job.workspace);
    for (const execution of executionsIn(content)) {
      if (!job.steps.some(({ name }) => name === execution.step))
        requireOne(this.#counting, `${assignment.base?.lineage} ${execution.step}`, execution);
    }
    this.#requireContent(
      content,
      job,
      step.index,
      (generation, index, of) => of !== job.index || this.#isOfLineage(assignment, generation, index + 1),
    );
  }

  stepStopped(agent: AgentId, workspace: string): void {
    this.#running.delete(`${agent} ${workspace}`);
  }

  agentPaused(agent: AgentId): void {
    this.#stoodStillUntil.set(agent, Infinity);
  }

  agentWentOn(agent: AgentId, now: number): void {
    this.#stoodStillUntil.set(agent, now);
  }

  /** When all is over: what the record says is so, and what was published is what a build without faults publishes. */
  requireGoodEnd(cause: { readonly cancelled: boolean; readonly stepFailed: boolean }): void {
    const { build, jobs, steps, outputs } = this.coordinator;
    if (build.state === 'cancelled' && !cause.cancelled)
      throw new Violation('cancelled, and nobody wished it');
    const isSpent = [...this.#faults.values()].some((faults) => faults > MOST_RETRIES);
    if (build.state === 'failed' && !cause.stepFailed && !isSpent)
      throw new Violation('failed, and neither a step failed nor were retries used up');
    if (build.state !== 'succeeded') return;
    const open = steps.find(({ state }) => state !== 'succeeded');
    if (open !== undefined)
      throw new Violation(`succeeded, and step ${open.name} is ${open.state} on record`);
    const counting = new Map<string, string>();
    for (const [key, { attempt, sha256 }] of outputs) {
      for (const execution of executionsIn(contentOf(sha256)))
        requireOne(counting, execution.step, execution);
      const job = jobs[Number(key.split(':')[0])]!;
      const by = this.coordinator.attempts.get(attempt)!;
      if (by.end?.kind !== 'succeeded' || by.epoch !== job.epoch)
        throw new Violation(`output ${key} is of ${attempt}, which is not the attempt that counts`);
      this.#requireContent(
        contentOf(sha256),
        this.plan.jobs[job.index]!,
        Infinity,
        (generation, step, of) => {
          const { generation: present, ancestry } = jobs[of]!;
          return (
            generation === `g${present}` ||
            ancestry.some((each) => `g${each.generation}` === generation && each.upToIndex > step)
          );
        },
      );
    }
  }

  #wasNamed(id: AttemptId): boolean {
    return (this.#renewedAt.get(id) ?? 0) > (this.#takenAt.get(id) ?? Infinity);
  }

  /**
   * Whoever stood still does not know how late it is. And an assignment that was taken back as never arrived may have arrived: its answer, or the heartbeat that
   * did not name it, was long on its way. Both go on until they are answered; what they do does not count.
   */
  #mayGoOn(agent: AgentId, attempt: AttemptId): boolean {
    const stoodStill = (this.#stoodStillUntil.get(agent) ?? 0) >= (this.#takenAt.get(attempt) ?? Infinity);
    return stoodStill || this.#takenBack.has(attempt);
  }

  #requireExpired(id: AttemptId, now: number): void {
    const renewedAt = this.#renewedAt.get(id);
    if (renewedAt !== undefined && now - renewedAt < LEASE_MS)
      throw new Violation(`attempt ${id} was taken away ${now - renewedAt} ms after it was renewed`);
    if (now - this.#coordinatorSince < LEASE_MS)
      throw new Violation(`attempt ${id} was taken away by a coordinator that has just started`);
  }

  /** @param at index of the step in front of which the checkpoint is */
  #isOfLineage({ lineage, ancestry }: ModelAssignment, asked: string, at: number): boolean {
    const isOf = (each: string): boolean => each === asked || each.endsWith(`/${asked}`);
    return (
      isOf(lineage) ||
      ancestry.some((each) => {
        const upTo = this.plan.steps.find(({ name }) => name === each.upTo)?.index ?? -1;
        return isOf(each.lineage) && at <= upTo;
      })
    );
  }

  /** Each step in front of `end` once, in order, and by a generation that is good. */
  #requireContent(
    content: Content,
    job: Job,
    end: number,
    isGood: (generation: string, step: number, job: number) => boolean,
  ): void {
    const expected = this.#expectedBefore(job, end);
    const items = content.map((item) => item.split('/'));
    const text = content.join(' ');
    if (items.map(([name]) => name).join(' ') !== expected.join(' '))
      throw new Violation(`job ${job.index} has "${text}" where "${expected.join(' ')}" was expected`);
    for (const [name, generation = ''] of items) {
      const of = this.plan.jobs.find(({ steps }) => steps.some((step) => step.name === name));
      const step = of?.steps.find((each) => each.name === name);
      if (of !== undefined && step !== undefined && !isGood(generation, step.index, of.index))
        throw new Violation(`job ${job.index} goes on from "${text}", of which ${name} was to run again`);
    }
  }

  #expectedBefore(job: Job, end: number): readonly string[] {
    const { base } = job;
    const before =
      base.kind === 'empty' ? [] : this.#expectedBefore(this.plan.jobs[base.boundary.job]!, Infinity);
    const imports = job.imports.map(({ path }) => `+${path}`);
    const own = job.steps.filter(({ index }) => index < end).map(({ name }) => name);
    return [...before, ...imports, ...own];
  }
}

interface Execution {
  readonly step: string;
  readonly attempt: string;
}

function executionsIn(content: Content): readonly Execution[] {
  return content.flatMap((item) => {
    const [step = '', , attempt] = item.split('/');
    return attempt === undefined ? [] : [{ step, attempt }];
  });
}

/** What counts of a step comes from one execution. */
function requireOne(counting: Map<string, string>, key: string, { step, attempt }: Execution): void {
  const other = counting.get(key);
  if (other !== undefined && other !== attempt)
    throw new Violation(`what counts of step ${step} is of ${other}, and of ${attempt}`);
  counting.set(key, attempt);
}
