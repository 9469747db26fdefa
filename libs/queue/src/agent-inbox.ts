import type { AgentId } from '#libs/contracts';
import { Job, UnrecoverableError } from 'bullmq';
import type { Fetcher, FarmRedis } from './farm-redis.js';
import { claimChannel, jobIdOf, Message, queueOf } from './message.js';
import { WakeUp } from './wake-up.js';
import type { Wakes } from './wakes.js';

export interface InboxOptions {
  /** How long a fetched message stays its holder's without an extension. Long enough for Redis to restart. Default 120 s. */
  readonly lockMs?: number;
  /** How often a queue is looked through for messages whose holder is gone. Default 30 s. */
  readonly stalledCheckMs?: number;
}

/** More messages than this that are not fit to be handed out, one after another, are left for the next fetch. */
const MAX_UNFIT = 100;

/**
 * Takes messages out of the agents' queues on behalf of the agents. A fetched message belongs to whoever knows its token, in whatever
 * coordinator, until its lock runs out; the lock is no proof of anything, the database decides. A message whose lock ran out is dropped when
 * it is met: the coordinator delivers it again if it is still wanted.
 */
export class AgentInbox {
  readonly #redis: FarmRedis;
  readonly #wakes: Wakes;
  readonly #options: Required<InboxOptions>;

  constructor(redis: FarmRedis, wakes: Wakes, options: InboxOptions = {}) {
    this.#redis = redis;
    this.#wakes = wakes;
    this.#options = { lockMs: 120_000, stalledCheckMs: 30_000, ...options };
  }

  /**
   * The next message of the agent, now locked with `token`; waits for one up to `waitMs`. `null`: none came, or the signal came first (a
   * message that came at the same moment is put back). Throws UNAVAILABLE.
   */
  async claim(agent: AgentId, token: string, waitMs: number, signal: AbortSignal): Promise<Message | null> {
    // Registered before the first look, so that nothing falls between looking and waiting.
    const wakeUp = new WakeUp(waitMs, signal);
    const unsubscribe = this.#wakes.subscribe(claimChannel(agent), () => wakeUp.wake());
    try {
      do {
        const message = await this.fetch(agent, token);
        if (message !== null) return await this.#unlessAborted(agent, message, token, signal);
      } while (await wakeUp.next());
      return null;
    } finally {
      unsubscribe();
      wakeUp.stop();
    }
  }

  /** The next message, without waiting. Throws UNAVAILABLE. */
  async fetch(agent: AgentId, token: string): Promise<Message | null> {
    const fetcher = this.#fetcher(agent);
    return this.#redis.run(async () => {
      const message = await this.#firstFit(fetcher, token);
      if (message !== null) return message;
      const stalled = await fetcher.getBackend().moveStalledJobsToWait();
      return stalled.length === 0 ? null : this.#firstFit(fetcher, token);
    });
  }

  /** Keeps the message locked for another `lockMs`. False when the lock is lost, or Redis does not answer. */
  async extend(agent: AgentId, message: Message, token: string): Promise<boolean> {
    return this.#tolerant(async () => {
      const backend = this.#fetcher(agent).getBackend();
      return (await backend.extendLock(jobIdOf(message), token, this.#options.lockMs)) === 1;
    });
  }

  /** Puts a fetched message back, for the next fetch. False as with `finish`. */
  async release(agent: AgentId, message: Message, token: string): Promise<boolean> {
    return this.#withJob(agent, message, async (job) => {
      await job.moveToWait(token);
      await this.#wakes.publish(claimChannel(agent), jobIdOf(message));
    });
  }

  /**
   * Done with the message. False when it was not this token's any more: its lock ran out or is another's, it is gone, Redis does not answer. The
   * farm goes on in any case.
   */
  async finish(
    agent: AgentId,
    message: Message,
    token: string,
    ok: boolean,
    reason: string,
  ): Promise<boolean> {
    return this.#withJob(agent, message, async (job) => {
      if (ok) await job.moveToCompleted(reason, token, false);
      else await job.moveToFailed(unrecoverable(reason), token, false);
    });
  }

  /** Drops the queue of an agent that will not come again. False when Redis does not answer: then some ids stay in it that nobody looks at. */
  async forget(agent: AgentId): Promise<boolean> {
    return this.#tolerant(async () => {
      await this.#redis.queue(queueOf(agent)).obliterate({ force: true });
      return true;
    });
  }

  #fetcher(agent: AgentId): Fetcher {
    return this.#redis.fetcher(queueOf(agent), this.#options);
  }

  async #unlessAborted(
    agent: AgentId,
    message: Message,
    token: string,
    signal: AbortSignal,
  ): Promise<Message | null> {
    if (!signal.aborted) return message;
    await this.release(agent, message, token);
    return null;
  }

  async #firstFit(fetcher: Fetcher, token: string): Promise<Message | null> {
    for (let unfit = 0; unfit < MAX_UNFIT; unfit++) {
      const job = (await fetcher.getNextJob(token, { block: false })) as Job | undefined;
      if (job === undefined) return null;
      const { success, data } = Message.safeParse(job.data);
      const failure = job.deferredFailure as string | undefined;
      if (success && failure === undefined) return data;
      await drop(job, token, failure ?? 'not a message of this farm');
    }
    return null;
  }

  #withJob(agent: AgentId, message: Message, use: (job: Job) => Promise<void>): Promise<boolean> {
    return this.#tolerant(async () => {
      const job = await Job.fromId(this.#fetcher(agent), jobIdOf(message));
      if (job === undefined) return false;
      await use(job);
      return true;
    });
  }

  /** What goes wrong here is what `false` says, each time: BullMQ throws for a lost lock, a missing message and a lost connection alike. */
  async #tolerant(attempt: () => Promise<boolean>): Promise<boolean> {
    try {
      return await attempt();
    } catch {
      return false;
    }
  }
}

/** BullMQ retries no UnrecoverableError. */
function unrecoverable(reason: string): Error {
  return new UnrecoverableError(reason);
}

/** Removed altogether, so that the same message can be delivered again. */
async function drop(job: Job, token: string, reason: string): Promise<void> {
  try {
    await job.moveToFailed(unrecoverable(reason), token, false);
    await job.remove();
  } catch {
    // Its key is gone, or its lock: then nothing is left to drop, and what is left expires.
  }
}
