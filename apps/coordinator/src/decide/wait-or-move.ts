import type { AgentRoom } from './agent-room.js';
import { describeCarryOver, type CarryOver } from './carry-over.js';
import type { CandidateAgent, WaitingJob } from './placement-input.js';

/** For less than this no job waits: a slot is seldom free so soon. */
const WORTH_WAITING_MS = 10_000;

/**
 * Whether a job that has finished steps had better wait for an agent that is busy, although `free` could have it now: why and until when, or `null`. Nobody knows how
 * long a slot is in use. So it waits for as long as moving would cost more, and moves then: it loses at most twice what the better choice would have cost. An
 * agent that is full, drained or lost is not waited for.
 *
 * @param busy that hold checkpoints of the job, and have no slot
 */
export function waitForBusyOne(
  job: WaitingJob,
  busy: readonly AgentRoom[],
  free: AgentRoom,
  costOf: (agent: CandidateAgent) => CarryOver,
  now: number,
): string | null {
  const moving = costOf(free.agent);
  if (moving.costMs < WORTH_WAITING_MS) return null;
  let best: { readonly agent: CandidateAgent; readonly costMs: number } | null = null;
  for (const { agent } of busy) {
    const { costMs } = costOf(agent);
    if (best === null || costMs < best.costMs) best = { agent, costMs };
  }
  if (best === null) return null;
  const worthMs = moving.costMs - best.costMs;
  const until = job.waitingSince + worthMs;
  if (worthMs < WORTH_WAITING_MS || now >= until) return null;
  const time = new Date(until).toISOString().slice(11, 19);
  return `waits for agent ${best.agent.name}, which is busy and nearer to its newest checkpoint, until ${time} UTC; then goes to one that ${describeCarryOver(moving)}`;
}
