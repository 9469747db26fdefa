import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import type { AttemptEnd } from '#libs/contracts';
import { AgentInbox } from '#libs/queue';
import {
  clearAgentFailures,
  countAgentFailure,
  endAttempt,
  findAgent,
  findJob,
  isFurthest,
  lockBuild,
  quarantineAgent,
  removeMessage,
  stepsOfJob,
  updateJob,
  updateStep,
  variantName,
  type AttemptRow,
  type Schema,
  type StepRow,
} from '#libs/store';
import { settleBuild } from '../builds/settle-build.js';
import { afterAttempt, failuresInARow, quarantineMs, type NextForJob } from '../decide/after-attempt.js';
import type { Changes } from '../work.js';
import type { AttemptClaim } from './own-attempt.js';

/** The one place where an attempt ends, whoever says so: its agent, a lease, a person. */
@Injectable()
export class EndAttempts {
  constructor(private readonly inbox: AgentInbox) {}

  /** Only the first end counts. Moves the job on, and with it all that waited for it. */
  async end(
    tx: Transaction<Schema>,
    changes: Changes,
    attempt: AttemptRow,
    end: AttemptEnd,
    now: number,
    { agentRestarted = false } = {},
  ): Promise<void> {
    const build = await lockBuild(tx, attempt.build_id);
    const job = await findJob(tx, attempt.job_id);
    if (build === null || job === null) throw new RangeError(`attempt ${attempt.id} has no job`);
    if (!(await endAttempt(tx, attempt.id, attempt.epoch, end, now))) return;
    await removeMessage(tx, attempt.id);
    const next = afterAttempt(
      {
        retries: job.retries,
        avoid: job.avoid,
        wish: build.wish,
        pauseIsPending: build.pause_before !== null,
        agent: attempt.agent_id,
        agentRestarted,
        gotFurther: end.kind === 'handed-over' && (await isFurthest(tx, attempt)),
      },
      end,
    );
    await updateJob(tx, job.id, {
      state: next.state,
      retries: next.retries,
      avoid: next.avoid,
      waiting_reason: next.reason,
      waiting_since: next.state === 'waiting' ? now : null,
      ended_at: next.state === 'waiting' || next.state === 'paused' ? null : now,
    });
    const steps = await stepsOfJob(tx, attempt.job_id);
    await this.#stopSteps(tx, attempt, steps, now);
    const variant = (await variantName(tx, job.variant_id)) ?? '';
    const agentName = (await findAgent(tx, attempt.agent_id))?.name ?? attempt.agent_id;
    await this.#judgeAgent(tx, changes, { ...attempt, agentName }, next, end, now);
    const about = { build: build.id, job: job.id, attempt: attempt.id, agent: attempt.agent_id };
    const data = { variant, lane: job.lane, end, state: next.state, agentName };
    changes.event('job-ended', about, data);
    if (end.kind === 'handed-over')
      changes.event('job-handed-over', about, {
        variant,
        lane: job.lane,
        step: steps.find(({ index }) => index === end.before)?.name ?? String(end.before),
        agentName,
        cause: end.cause,
        reason: next.reason,
      });
    else if (next.state === 'waiting')
      changes.event('job-retried', about, {
        variant,
        lane: job.lane,
        retries: next.retries,
        reason: next.reason,
      });
    changes.wakeAgents.add(attempt.agent_id);
    await settleBuild(tx, changes, now, build.id, job.variant_id);
  }

  /** Tells BullMQ, last of all: that it does not know any more changes nothing. */
  async finishMessage({ agent, attempt, epoch, token }: AttemptClaim, end: AttemptEnd): Promise<void> {
    const well = end.kind === 'succeeded' || end.kind === 'paused' || end.kind === 'handed-over';
    await this.inbox.finish(agent, { attempt, epoch }, token, well, end.kind);
  }

  /** A step that the attempt did not live to end. */
  async #stopSteps(
    tx: Transaction<Schema>,
    attempt: AttemptRow,
    steps: readonly StepRow[],
    now: number,
  ): Promise<void> {
    for (const step of steps.filter(
      ({ state, attempt_id }) => state === 'running' && attempt_id === attempt.id,
    )) {
      await updateStep(tx, attempt.job_id, step.index, {
        state: 'interrupted',
        attempt: attempt.id,
        endedAt: now,
      });
    }
  }

  async #judgeAgent(
    tx: Transaction<Schema>,
    changes: Changes,
    { agent_id: agent, agentName }: AttemptRow & { readonly agentName: string },
    next: NextForJob,
    end: AttemptEnd,
    now: number,
  ): Promise<void> {
    if (end.kind === 'succeeded') {
      await clearAgentFailures(tx, agent);
      return;
    }
    if (!next.blamesAgent) return;
    const failures = await countAgentFailure(tx, agent);
    const until = now + quarantineMs(failures);
    if (until === now) return;
    await quarantineAgent(tx, agent, until);
    changes.event('agent-quarantined', { agent }, { name: agentName, why: failuresInARow(failures), until });
  }
}
