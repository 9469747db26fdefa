import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import type { z } from 'zod';
import type { AgentView, CreateEnrolment, DrainAgent, Enrolment, EventType } from '#libs/contracts';
import { AgentInbox } from '#libs/queue';
import {
  appendAudit,
  createEnrolment,
  drainAgent,
  findAgent,
  openAttempts,
  pauseAgent,
  revokeAgent,
  undrainAgent,
  unpauseAgent,
  type AgentRow,
  type Schema,
} from '#libs/store';
import type { Caller } from '../access/caller.js';
import { EndAttempts } from '../attempts/end-attempts.js';
import { CoordinatorConfig } from '../config.js';
import { FarmCertificate } from '../farm-certificate.js';
import { Work, type Changes } from '../work.js';
import { AgentViews } from './agent-views.js';

/** What operators do with agents; each is on the audit and told as an event. */
@Injectable()
export class AgentActions {
  constructor(
    private readonly work: Work,
    private readonly views: AgentViews,
    private readonly config: CoordinatorConfig,
    private readonly certificate: FarmCertificate,
    private readonly endings: EndAttempts,
    private readonly inbox: AgentInbox,
  ) {}

  async createEnrolment(
    { name, expiresInSeconds }: z.output<typeof CreateEnrolment>,
    caller: Caller,
  ): Promise<Enrolment> {
    const { token, expiresAt } = await this.work.change(async (tx, _, now) => {
      const expiresAt = now + expiresInSeconds * 1000;
      const token = await createEnrolment(tx, { name, createdBy: caller.user, expiresAt }, now);
      await this.#audit(tx, now, caller, 'agent.enrolment', name ?? '', '');
      return { token, expiresAt };
    });
    const { caFingerprint } = this.certificate;
    const trust = caFingerprint === null ? '' : ` --ca-fingerprint ${caFingerprint}`;
    const command = `distrofarm-agent enrol --coordinator ${this.config.publicUrl} --token ${token}${trust}`;
    return { token, expiresAt, caFingerprint, command };
  }

  /** It gets nothing new until it is undrained, and gives away at their next boundaries the jobs that others can take, or lets all finish. */
  async drain(
    agent: AgentRow,
    { why, letFinish }: z.output<typeof DrainAgent>,
    caller: Caller,
  ): Promise<AgentView> {
    return await this.#change(agent, 'agent-drained', 'agent.drain', why, caller, async (tx) => {
      await drainAgent(tx, agent.id, { reason: reasonOf(caller, why), letsFinish: letFinish });
      return {};
    });
  }

  async undrain(agent: AgentRow, caller: Caller): Promise<AgentView> {
    return await this.#change(agent, 'agent-undrained', 'agent.undrain', '', caller, async (tx) => {
      await undrainAgent(tx, agent.id);
      return {};
    });
  }

  /** The same as draining, with an end. */
  async pause(agent: AgentRow, why: string, untilSeconds: number | null, caller: Caller): Promise<AgentView> {
    return await this.#change(agent, 'agent-paused', 'agent.pause', why, caller, async (tx, _, now) => {
      const until = untilSeconds === null ? null : now + untilSeconds * 1000;
      await pauseAgent(tx, agent.id, { reason: reasonOf(caller, why), until });
      return { until };
    });
  }

  async unpause(agent: AgentRow, caller: Caller): Promise<AgentView> {
    return await this.#change(agent, 'agent-unpaused', 'agent.unpause', '', caller, async (tx) => {
      await unpauseAgent(tx, agent.id);
      return {};
    });
  }

  /** Its key is worth nothing from now on, and what it runs goes to others. */
  async revoke(agent: AgentRow, why: string, caller: Caller): Promise<AgentView> {
    const view = await this.#change(
      agent,
      'agent-revoked',
      'agent.revoke',
      why,
      caller,
      async (tx, changes, now) => {
        if (!(await revokeAgent(tx, agent.id, now))) return {};
        for (const attempt of await openAttempts(tx, agent.id)) {
          const reason = `agent ${agent.name} was revoked`;
          await this.endings.end(
            tx,
            changes,
            attempt,
            { kind: 'infrastructure', fault: 'lost', at: null, reason },
            now,
          );
        }
        return {};
      },
    );
    await this.inbox.forget(agent.id);
    return view;
  }

  async #change(
    agent: AgentRow,
    event: EventType,
    action: string,
    why: string,
    caller: Caller,
    /** Resolves to what else the event says. */
    change: (
      tx: Transaction<Schema>,
      changes: Changes,
      now: number,
    ) => Promise<Readonly<Record<string, unknown>>>,
  ): Promise<AgentView> {
    const after = await this.work.change(async (tx, changes, now) => {
      const more = await change(tx, changes, now);
      changes.event(event, { agent: agent.id }, { name: agent.name, by: caller.user, why, ...more });
      changes.wakeAgents.add(agent.id);
      await this.#audit(tx, now, caller, action, agent.name, why);
      return await findAgent(tx, agent.id);
    });
    return await this.views.show(after ?? agent);
  }

  async #audit(
    tx: Transaction<Schema>,
    now: number,
    caller: Caller,
    action: string,
    target: string,
    why: string,
  ): Promise<void> {
    await appendAudit(tx, now, { user: caller.user, tokenId: caller.token, action, target, why });
  }
}

function reasonOf(caller: Caller, why: string): string {
  return why === '' ? caller.user : `${caller.user}: ${why}`;
}
