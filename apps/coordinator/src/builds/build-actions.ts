import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import type { z } from 'zod';
import {
  FarmError,
  type AgentId,
  type BuildId,
  type CancelBuild,
  type PauseBuild,
  type ResumeBuild,
  type StepReference,
  type VariantId,
} from '#libs/contracts';
import {
  appendAudit,
  findAgent,
  findAgentByName,
  fingerprintsOf,
  jobsOfBuild,
  lockBuild,
  openAttempts,
  openAttemptOf,
  pinJob,
  replaceAsk,
  resetSteps,
  setKeysWait,
  stepsOfBuild,
  updateBuild,
  updateJob,
  variantsOf,
  type BuildRow,
  type JobRow,
  type Schema,
  type StepRow,
} from '#libs/store';
import type { Caller } from '../access/caller.js';
import { EndAttempts } from '../attempts/end-attempts.js';
import { AskFingerprints } from '../fingerprints/ask-fingerprints.js';
import { couldEverRun } from '../decide/could-ever-run.js';
import { planResume } from '../decide/plan-resume.js';
import { candidateOf } from '../scheduling/candidate-agents.js';
import { Work, type Changes } from '../work.js';
import { settleBuild } from './settle-build.js';

type Pause = z.output<typeof PauseBuild>;
type Resume = z.output<typeof ResumeBuild>;
type Cancel = z.output<typeof CancelBuild>;

/** One action under way: the build is locked, and what it does is one transaction. */
interface Act {
  readonly tx: Transaction<Schema>;
  readonly changes: Changes;
  readonly now: number;
  readonly build: BuildRow;
  readonly jobs: readonly JobRow[];
  readonly steps: readonly StepRow[];
}

/** What operators wish of builds. The wish is on record when these return; agents are told at once, and work towards it. */
@Injectable()
export class BuildActions {
  constructor(
    private readonly work: Work,
    private readonly endings: EndAttempts,
    private readonly asks: AskFingerprints,
  ) {}

  /** Before a named step, or as soon as each running step ends. */
  async pause(id: BuildId, { before, why }: Pause, caller: Caller): Promise<void> {
    await this.#act(id, caller, 'pause', why, { before }, async (act) => {
      const { tx, build } = act;
      if (isOver(build)) throw conflict(build, `is ${build.state}; there is nothing to pause`);
      if (before === null) {
        await updateBuild(tx, id, { wish: 'pause' });
        await this.#withdrawAssigned(act, 'the build is paused');
        for (const job of act.jobs.filter(({ state }) => state === 'waiting'))
          await updateJob(tx, job.id, {
            state: 'paused',
            waiting_reason: 'the build is paused',
            waiting_since: null,
          });
      } else {
        const step = requireStepAhead(act, before);
        await updateBuild(tx, id, { pause_before: step });
        await this.#withdrawAssigned(act, `the build is to pause before ${step}`);
        // Those that the pause concerns are sorted out from those that it does not when the build settles.
        for (const job of act.jobs.filter(({ state }) => state === 'waiting'))
          await updateJob(tx, job.id, { state: 'blocked', waiting_since: null });
      }
      act.changes.event('build-paused', { build: id }, { before, by: caller.user, why });
    });
  }

  /** From where each job stopped; or a named step, and all that depends on it, runs again. */
  async resume(id: BuildId, resume: Resume, caller: Caller): Promise<void> {
    const { from, variant, onAgent, pauseBefore, why } = resume;
    await this.#act(id, caller, 'resume', why, { from, variant, onAgent, pauseBefore }, async (act) => {
      const { tx, build } = act;
      if (build.collected_at !== null)
        throw conflict(build, 'was collected: its checkpoints are gone', 'Submit it again.');
      const jobs = await this.#chosenJobs(act, variant);
      const plan = planResume(jobs, act.steps, from);
      const pauseIsPending = build.wish === 'pause' || build.pause_before !== null;
      if (plan.kind === 'refused' && (from !== null || onAgent !== null || !pauseIsPending))
        throw conflict(build, plan.reason, plan.hint);
      const resumed = plan.kind === 'refused' ? [] : plan.jobs;
      const agent =
        onAgent === null
          ? null
          : await requireAbleAgent(
              act,
              onAgent,
              resumed.map(({ job }) => job),
            );
      for (const { job, setBack, fromStep } of resumed) {
        await updateJob(tx, job.id, {
          state: 'blocked',
          ...(setBack === null ? {} : { generation: job.generation + 1, ancestry: setBack.ancestry }),
          retries: 0,
          avoid: [],
          waiting_reason: '',
          ended_at: null,
        });
        if (fromStep !== null) await resetSteps(tx, job.id, fromStep);
        await pinJob(tx, job.id, agent);
      }
      await this.#askAgain(
        act,
        resumed.map(({ job }) => job.variant_id),
      );
      const step =
        pauseBefore === null ? null : requireStepAhead({ ...act, jobs, resumed: true }, pauseBefore);
      await updateBuild(tx, id, { wish: 'run', pause_before: step, ended_at: null });
      act.changes.event('build-resumed', { build: id }, { from, variant, onAgent, by: caller.user, why });
    });
  }

  /** For the fingerprints of those that have not begun: what was said when they were submitted may be old, or was not to be had. */
  async #askAgain({ tx, changes, now, build, jobs }: Act, variants: readonly VariantId[]): Promise<void> {
    const begun = new Set(
      jobs.filter(({ epoch, state }) => epoch > 0 || state === 'succeeded').map((job) => job.variant_id),
    );
    const wanted = (await fingerprintsOf(tx, [build.id])).filter(
      ({ variantId }) => variants.includes(variantId) && !begun.has(variantId),
    );
    const asks = await this.asks.ask(
      tx,
      changes,
      now,
      wanted.map(({ ask }) => ask),
    );
    for (const { variantId: variant_id, index, ask } of wanted) {
      const again = asks.get(ask.digest);
      if (again !== undefined) await replaceAsk(tx, { variant_id, index }, again);
    }
    await setKeysWait(
      tx,
      wanted.map(({ variantId }) => variantId),
      1,
    );
  }

  /** Running steps are ended within seconds; each job can be resumed from its last checkpoint. */
  async cancel(id: BuildId, { why }: Cancel, caller: Caller): Promise<void> {
    await this.#act(id, caller, 'cancel', why, {}, async (act) => {
      const { tx, build } = act;
      if (isOver(build)) throw conflict(build, `is ${build.state} already`);
      await updateBuild(tx, id, { wish: 'cancel' });
      await this.#withdrawAssigned(act, 'the build was cancelled');
      for (const job of act.jobs) {
        if (job.state === 'waiting' || job.state === 'blocked' || job.state === 'paused')
          await updateJob(tx, job.id, {
            state: 'cancelled',
            waiting_reason: '',
            waiting_since: null,
            ended_at: act.now,
          });
      }
      act.changes.event('build-cancelled', { build: id }, { by: caller.user, why });
    });
  }

  async #act(
    id: BuildId,
    caller: Caller,
    action: string,
    why: string,
    data: Readonly<Record<string, unknown>>,
    change: (act: Act) => Promise<void>,
  ): Promise<void> {
    await this.work.change(async (tx, changes, now) => {
      const build = await lockBuild(tx, id);
      if (build === null) throw new FarmError('NOT_FOUND', `there is no build ${id}`);
      const [jobs, steps] = [await jobsOfBuild(tx, id), await stepsOfBuild(tx, id)];
      await change({ tx, changes, now, build, jobs, steps });
      await settleBuild(tx, changes, now, id, null);
      for (const attempt of await openAttempts(tx)) {
        if (attempt.build_id === id) changes.wakeAgents.add(attempt.agent_id);
      }
      await appendAudit(tx, now, {
        user: caller.user,
        tokenId: caller.token,
        action: `build.${action}`,
        target: id,
        why,
        data,
      });
    });
  }

  /** What no agent has fetched is taken back. */
  async #withdrawAssigned({ tx, changes, now, jobs }: Act, reason: string): Promise<void> {
    for (const job of jobs.filter(({ state }) => state === 'assigned')) {
      const attempt = await openAttemptOf(tx, job.id);
      if (attempt !== null) await this.endings.end(tx, changes, attempt, { kind: 'withdrawn', reason }, now);
    }
  }

  async #chosenJobs({ tx, build, jobs }: Act, variant: string | null): Promise<readonly JobRow[]> {
    if (variant === null) return jobs;
    const variants = await variantsOf(tx, build.id);
    const chosen = variants.find(({ name }) => name === variant);
    if (chosen !== undefined) return jobs.filter(({ variant_id }) => variant_id === chosen.id);
    const names = variants.map(({ name }) => name).join(', ');
    throw new FarmError(
      'NOT_FOUND',
      `build ${build.id} has no variant "${variant}"`,
      `Its variants: ${names}.`,
    );
  }
}

function isOver({ state }: BuildRow): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

function conflict(build: BuildRow, what: string, hint: string | null = null): FarmError {
  return new FarmError('CONFLICT', `build ${build.id} ${what}`, hint);
}

/** An agent that could run all of the jobs, however busy, drained or far away it is now. Throws NOT_FOUND, CONFLICT and UNPLACEABLE. */
async function requireAbleAgent(
  { tx, now }: Act,
  nameOrId: string,
  jobs: readonly JobRow[],
): Promise<AgentId> {
  const agent = (await findAgentByName(tx, nameOrId)) ?? (await findAgent(tx, nameOrId as AgentId));
  const hint = 'distrofarm agents list shows those that can be named.';
  if (agent === null) throw new FarmError('NOT_FOUND', `there is no agent "${nameOrId}"`, hint);
  if (agent.revokedAt !== null) throw new FarmError('CONFLICT', `agent ${agent.name} was revoked`, hint);
  const candidate = candidateOf(agent, [], now);
  const problems = jobs.flatMap(({ lane, requires }) => {
    const { possible, sentence } = couldEverRun({ requires, onAgent: agent.id }, [candidate]);
    return possible ? [] : [`lane ${lane}: ${sentence}`];
  });
  if (problems.length === 0) return agent.id;
  throw new FarmError(
    'UNPLACEABLE',
    `agent ${agent.name} could never run this`,
    'Name another agent, or none: then any that can may have it.',
    [...new Set(problems)],
  );
}

/** The name of the step, which some variant has not reached yet. Throws NOT_FOUND and CONFLICT. */
function requireStepAhead(
  { build, jobs, steps, resumed = false }: Pick<Act, 'build' | 'jobs' | 'steps'> & { resumed?: boolean },
  reference: z.output<typeof StepReference>,
): string {
  const own = new Set(jobs.map(({ id }) => id));
  const candidates = steps.filter(({ job_id }) => own.has(job_id));
  const byName = candidates.filter(({ name }) => name === reference);
  const found = byName.length > 0 ? byName : candidates.filter(({ index }) => String(index) === reference);
  const [step] = found;
  if (step === undefined) {
    const names = [...new Set(candidates.map(({ index, name }) => `${index} ${name}`))].join(', ');
    throw new FarmError('NOT_FOUND', `build ${build.id} has no step "${reference}"`, `Its steps: ${names}.`);
  }
  if (resumed || found.some(({ state }) => state === 'waiting')) return step.name;
  throw conflict(build, `has started step ${step.name} already`, 'Pause it now, without naming a step.');
}
