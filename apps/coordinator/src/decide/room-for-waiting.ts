import type { AgentId } from '#libs/contracts';
import { abilityGaps } from './ability-gaps.js';
import type { CandidateAgent, WaitingJob } from './placement-input.js';

/**
 * How much should be free on agents for the sake of jobs that wait for nothing but room: where no agent that could run one has it, the one that lacks the least. That a
 * store is too small altogether is no want of room.
 */
export function roomForWaiting(
  jobs: readonly Pick<WaitingJob, 'requires' | 'onAgent'>[],
  agents: readonly CandidateAgent[],
): ReadonlyMap<AgentId, number> {
  const wanted = new Map<AgentId, number>();
  const ready = agents.filter(({ state }) => state === 'ready');
  // Ten thousand jobs are of few kinds.
  const kinds = new Map(
    jobs
      .filter(({ requires }) => requires.freeBytes > 0)
      .map((job) => [JSON.stringify([job.requires, job.onAgent]), job]),
  );
  for (const { requires, onAgent } of kinds.values()) {
    const able = ready.filter(
      (agent) =>
        (onAgent === null || agent.id === onAgent) &&
        agent.totalBytes >= requires.freeBytes &&
        abilityGaps(agent, requires).length === 0,
    );
    const [roomiest] = able.toSorted((a, b) => b.freeBytes - a.freeBytes || (a.id < b.id ? -1 : 1));
    if (roomiest === undefined || roomiest.freeBytes >= requires.freeBytes) continue;
    wanted.set(roomiest.id, Math.max(wanted.get(roomiest.id) ?? 0, requires.freeBytes));
  }
  return wanted;
}
