import type { AgentId, JobId } from '#libs/contracts';
import { abilityGaps } from './ability-gaps.js';
import { affinityOf, chooseRoom, roomOf, takeSlot } from './agent-room.js';
import { judgeAbleAgent } from './agent-verdict.js';
import { canSendTo } from './can-send-to.js';
import type { PlacementInput } from './placement-input.js';

/**
 * Which of the jobs that an agent runs can stop at their next boundary, because another agent would take them right away: it is able and ready, has a slot and
 * the room, and can fetch the checkpoint. Two jobs do not count on one slot. The others are better off where they are.
 */
export function jobsToHandOver(
  { jobs, agents, holders, now }: Pick<PlacementInput, 'jobs' | 'agents' | 'holders' | 'now'>,
  from: AgentId,
): ReadonlySet<JobId> {
  const giver = agents.find(({ id }) => id === from);
  if (giver === undefined) return new Set();
  const rooms = agents
    .filter(({ state, peer }) => state === 'ready' && canSendTo(giver.peer, peer))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map(roomOf);
  const taken = jobs
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .flatMap((job) => {
      const able = rooms.filter(
        ({ agent }) =>
          abilityGaps(agent, job.requires).length === 0 &&
          judgeAbleAgent(agent, job, holders).kind === 'able',
      );
      const room = chooseRoom(
        able,
        job.requires.freeBytes,
        affinityOf(job.wants, holders),
        new Set(job.avoid),
      );
      if (room === undefined) return [];
      takeSlot(room, job.requires.freeBytes, now);
      return [job.id];
    });
  return new Set(taken);
}
