import type { AgentRow, AttemptLoad } from '#libs/store';
import { peerOf } from '../decide/can-send-to.js';
import type { AgentCondition, CandidateAgent } from '../decide/placement-input.js';

/** An agent as the scheduler sees it. What has been assigned since it last told its free space may not show in that yet. */
export function candidateOf(agent: AgentRow, loads: readonly AttemptLoad[], now: number): CandidateAgent {
  const { facts } = agent;
  const unseen = loads.filter(({ assignedAt }) => assignedAt >= (agent.lastSeenAt ?? 0));
  const promisedBytes = unseen.reduce((sum, { requires }) => sum + requires.freeBytes, 0);
  const condition = conditionOf(agent, now);
  return {
    id: agent.id,
    name: agent.name,
    architectures: facts.architectures,
    labels: facts.labels,
    tools: Object.keys(facts.tools),
    slots: facts.slots,
    running: loads.length,
    freeBytes: Math.max(0, facts.freeBytes - promisedBytes),
    totalBytes: facts.freeBytes + facts.usedBytes,
    cpuLoad: agent.load?.cpu ?? 0,
    state: condition,
    reason: agent.reason,
    until:
      condition === 'paused'
        ? agent.pausedUntil
        : condition === 'quarantined'
          ? agent.quarantinedUntil
          : null,
    lastAssignedAt: loads.length === 0 ? null : Math.max(...loads.map(({ assignedAt }) => assignedAt)),
    peer: peerOf(agent),
  };
}

/** What keeps it from getting jobs; the most lasting reason first. */
export function conditionOf(agent: AgentRow, now: number): AgentCondition {
  if (agent.revokedAt !== null) return 'revoked';
  if (agent.drained) return 'drained';
  if (agent.paused) return 'paused';
  // An agent that has only been enrolled has never been seen, and takes nothing yet either.
  if (agent.lostAt !== null || agent.lastSeenAt === null) return 'lost';
  if (agent.leaving) return 'leaving';
  return agent.quarantinedUntil !== null && agent.quarantinedUntil > now ? 'quarantined' : 'ready';
}
