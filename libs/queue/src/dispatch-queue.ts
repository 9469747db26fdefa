import type { AgentId } from '#libs/contracts';
import type { JobsOptions } from 'bullmq';
import type { FarmRedis } from './farm-redis.js';
import { claimChannel, jobIdOf, queueOf, type Message } from './message.js';
import type { Wakes } from './wakes.js';

/** Retrying is the coordinator's decision. Ended messages stay a while, so that a late duplicate is recognized. */
const SETTINGS: JobsOptions = {
  attempts: 1,
  removeOnComplete: { age: 3_600, count: 1_000 },
  removeOnFail: { age: 604_800, count: 5_000 },
  stackTraceLimit: 3,
  keepLogs: 0,
};
/** Nobody reads BullMQ's event stream; its default length is 10,000 for each of a thousand queues. */
const MAX_EVENTS = 100;

/** Puts messages into the queues of agents. The row in the database comes first. */
export class DispatchQueue {
  constructor(
    private readonly redis: FarmRedis,
    private readonly wakes: Wakes,
  ) {}

  /**
   * Delivers, and wakes the agent's waiting claim. The same message again is a no-op, also while the first one is being worked on or has been
   * finished. Throws UNAVAILABLE; then it may or may not be there: deliver it again.
   */
  async deliver(agent: AgentId, message: Message): Promise<void> {
    const queue = this.redis.queue(queueOf(agent));
    const data: Message = { attempt: message.attempt, epoch: message.epoch };
    await this.redis.run(async () => {
      // Each time: FLUSHALL takes it too.
      await queue.getBackend().setQueueMeta({ 'opts.maxLenEvents': MAX_EVENTS });
      await queue.add('attempt', data, { ...SETTINGS, jobId: jobIdOf(message) });
    });
    await this.wakes.publish(claimChannel(agent), jobIdOf(message));
  }

  /** Takes a message back. True: it is not there (any more). False: somebody has fetched it, or Redis does not answer. */
  async withdraw(agent: AgentId, message: Message): Promise<boolean> {
    const queue = this.redis.queue(queueOf(agent));
    try {
      return (await this.redis.run(() => queue.remove(jobIdOf(message)))) === 1;
    } catch {
      return false;
    }
  }
}
