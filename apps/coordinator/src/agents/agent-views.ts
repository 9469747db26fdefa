import { Injectable } from '@nestjs/common';
import { FarmError, type AgentId, type AgentState, type AgentView } from '#libs/contracts';
import {
  countCheckpoints,
  findAgent,
  findAgentByName,
  findJob,
  listAgents,
  openAttempts,
  stepsOfJob,
  type AgentRow,
  type AttemptRow,
} from '#libs/store';
import { CoordinatorConfig } from '../config.js';
import { failuresInARow } from '../decide/after-attempt.js';
import { conditionOf } from '../scheduling/candidate-agents.js';
import { Clock, Store } from '../store.js';

/** Agents as the API shows them. */
@Injectable()
export class AgentViews {
  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly config: CoordinatorConfig,
  ) {}

  /** By name or id. Throws NOT_FOUND. */
  async resolve(reference: string): Promise<AgentRow> {
    const { db } = this.store;
    const agent = (await findAgentByName(db, reference)) ?? (await findAgent(db, reference as AgentId));
    if (agent !== null) return agent;
    throw new FarmError(
      'NOT_FOUND',
      `there is no agent "${reference}"`,
      'distrofarm agents list shows them.',
    );
  }

  /** Those that were revoked are left out. */
  async list(): Promise<readonly AgentView[]> {
    const agents = await listAgents(this.store.db);
    const counts = await countCheckpoints(this.store.db);
    return await Promise.all(
      agents
        .filter(({ revokedAt }) => revokedAt === null)
        .map(async (agent) => await this.#view(agent, counts.get(agent.id) ?? 0)),
    );
  }

  async show(agent: AgentRow): Promise<AgentView> {
    return await this.#view(agent, (await countCheckpoints(this.store.db)).get(agent.id) ?? 0);
  }

  async #view(agent: AgentRow, checkpoints: number): Promise<AgentView> {
    const open = await openAttempts(this.store.db, agent.id);
    const now = this.clock.now();
    const isQuarantined = conditionOf(agent, now) === 'quarantined';
    return {
      id: agent.id,
      name: agent.name,
      state: stateOf(agent, open.length, now),
      facts: agent.facts,
      load: agent.load,
      running: await Promise.all(open.map(async (attempt) => await this.#running(attempt))),
      reason: isQuarantined ? `quarantine: ${failuresInARow(agent.failures)}` : agent.reason,
      pausedUntil: isQuarantined ? agent.quarantinedUntil : agent.pausedUntil,
      enrolledAt: agent.enrolledAt,
      lastSeenAt: agent.lastSeenAt,
      checkpoints,
    };
  }

  async #running(attempt: AttemptRow): Promise<AgentView['running'][number]> {
    const { db } = this.store;
    const job = await findJob(db, attempt.job_id);
    const steps = await stepsOfJob(db, attempt.job_id);
    const step = steps.find(({ state, attempt_id }) => state === 'running' && attempt_id === attempt.id);
    const { lease_until: leaseUntil } = attempt;
    return {
      attempt: attempt.id,
      build: attempt.build_id,
      lane: job?.lane ?? '',
      step: step?.name ?? null,
      // Until the agent has it, that is until when it must fetch it.
      renewedAt: attempt.claimed_at === null || leaseUntil === null ? null : leaseUntil - this.config.leaseMs,
    };
  }
}

function stateOf(agent: AgentRow, running: number, now: number): AgentState {
  switch (conditionOf(agent, now)) {
    case 'revoked':
      return 'revoked';
    case 'lost':
      return 'lost';
    case 'drained':
      return running > 0 ? 'draining' : 'drained';
    case 'leaving':
      return 'draining';
    case 'paused':
    case 'quarantined':
      return 'paused';
    case 'ready':
      return running > 0 ? 'busy' : 'idle';
  }
}
