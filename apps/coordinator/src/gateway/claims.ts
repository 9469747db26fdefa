import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import {
  FarmError,
  SECRET_PREFIX,
  type Assignment,
  type AttemptId,
  type BuildId,
  type VariantId,
} from '#libs/contracts';
import { AgentInbox, type Message } from '#libs/queue';
import {
  assignedBefore,
  claimAttempt,
  countAgents,
  findAttempt,
  findJob,
  hashSecret,
  lockBuild,
  newSecret,
  removeDropping,
  removeMessage,
  updateJob,
  variantName,
  type AgentRow,
  type Schema,
} from '#libs/store';
import { makeAssignment } from '../attempts/make-assignment.js';
import { settleBuild } from '../builds/settle-build.js';
import { CoordinatorConfig } from '../config.js';
import { Clock, Store } from '../store.js';
import { Work } from '../work.js';
import { requireInstance } from './agent-sessions.js';
import { agentSettings } from './agent-settings.js';

/** A message takes milliseconds. One that was fetched, and not claimed before its coordinator was killed, would be missing until its lock has run out. */
const OVERDUE_MS = 2_000;

/** Hands out what the scheduler has assigned. The message only says where to look; whether it still holds, the record says. */
@Injectable()
export class Claims {
  constructor(
    private readonly store: Store,
    private readonly work: Work,
    private readonly inbox: AgentInbox,
    private readonly config: CoordinatorConfig,
    private readonly clock: Clock,
  ) {}

  /** Waits for an assignment; `null` when none came in time. */
  async claim(agent: AgentRow, instance: string, signal: AbortSignal): Promise<Assignment | null> {
    requireInstance(agent, instance);
    const overdue = await this.#takeOverdue(agent);
    if (overdue !== null) return overdue;
    const since = this.clock.now();
    const until = since + agentSettings(this.config).claimWaitMs;
    while (!signal.aborted) {
      const waitMs = until - this.clock.now();
      if (waitMs <= 0) return null;
      const token = newSecret(SECRET_PREFIX.attempt);
      const message = await this.inbox.claim(agent.id, token, waitMs, signal);
      if (message === null) return null;
      const waitedMs = Math.max(0, this.clock.now() - since);
      const assignment = await this.#takeOrPutBack(agent, message, token);
      if (assignment !== null) return { ...assignment, waitedMs };
      await this.inbox.finish(agent.id, message, token, true, "not the agent's any more");
    }
    return null;
  }

  /** What the record has given the agent long ago, whatever became of its message. */
  async #takeOverdue(agent: AgentRow): Promise<Assignment | null> {
    for (const { id, epoch } of await assignedBefore(
      this.store.db,
      agent.id,
      this.clock.now() - OVERDUE_MS,
    )) {
      const assignment = await this.#take(agent, id, epoch, newSecret(SECRET_PREFIX.attempt));
      if (assignment !== null) return assignment;
    }
    return null;
  }

  async #takeOrPutBack(agent: AgentRow, message: Message, token: string): Promise<Assignment | null> {
    try {
      return await this.#take(agent, message.attempt, message.epoch, token);
    } catch (error) {
      // The next claim finds it again.
      await this.inbox.release(agent.id, message, token);
      throw error;
    }
  }

  /** `null`: the attempt was taken back meanwhile, or the message is an old one. */
  async #take(agent: AgentRow, id: AttemptId, epoch: number, token: string): Promise<Assignment | null> {
    const taken = await this.work.change(async (tx, changes, now) => {
      const known = await findAttempt(tx, id);
      const build = known === null ? null : await lockBuild(tx, known.build_id);
      if (known === null || build === null) return false;
      const leaseUntil = now + this.config.leaseMs;
      const claim = { id, epoch, agent: agent.id, tokenHash: hashSecret(token), now, leaseUntil };
      if (!(await claimAttempt(tx, claim))) return false;
      const job = await findJob(tx, known.job_id);
      if (job === null) throw new FarmError('INTERNAL', `attempt ${id} has no job`);
      await updateJob(tx, job.id, { state: 'running', waiting_reason: '' });
      await removeMessage(tx, id);
      await this.#keepArea(tx, agent, build.id, job.variant_id);
      changes.event(
        'job-started',
        { build: build.id, job: job.id, attempt: id, agent: agent.id },
        { lane: job.lane, agentName: agent.name, number: known.number },
      );
      await settleBuild(tx, changes, now, build.id, job.variant_id);
      return true;
    });
    const attempt = taken ? await findAttempt(this.store.db, id) : null;
    if (attempt === null) return null;
    const publishEnd = (await countAgents(this.store.db)) > 1;
    const { copies, ...assignment } = await makeAssignment(this.store.db, attempt, token, publishEnd);
    return copies === undefined || this.config.replicaWaitMs === 0 ? assignment : { ...assignment, copies };
  }

  /** It may have been told to give up a replica there, which it now works on. */
  async #keepArea(
    tx: Transaction<Schema>,
    agent: AgentRow,
    build: BuildId,
    variant: VariantId,
  ): Promise<void> {
    if (agent.dropping.length === 0) return;
    await removeDropping(tx, agent.id, [`${build}.${(await variantName(tx, variant)) ?? ''}`]);
  }
}
