import { AttemptId, type AgentId } from '#libs/contracts';
import { z } from 'zod';

/** What is delivered to an agent: which attempt is its own. What that is, the database knows. */
export const Message = z.strictObject({ attempt: AttemptId, epoch: z.number().int().min(1) });
export type Message = z.infer<typeof Message>;

/** The queue of an agent. */
export function queueOf(agent: AgentId): string {
  return `agent-${agent}`;
}

/** BullMQ's id of the message: a second one for the same attempt and epoch is none. */
export function jobIdOf({ attempt, epoch }: Message): string {
  return `${attempt}-${epoch}`;
}

/** The channel on which the claims of an agent wait. */
export function claimChannel(agent: AgentId): string {
  return `claim:${agent}`;
}
