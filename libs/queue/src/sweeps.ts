import { Worker, type Job, type JobSchedulerJson } from 'bullmq';
import type { Redis } from 'ioredis';
import type { FarmRedis } from './farm-redis.js';
import { closeRedis } from './redis-config.js';
import { SweepLock } from './sweep-lock.js';

/** Something to be done again and again, by one coordinator of the farm at a time. */
export interface Sweep {
  readonly name: string;
  readonly everyMs: number;
  /** The signal comes when this process ends, or another one may have begun the same sweep. */
  run(signal: AbortSignal): Promise<void>;
}

export interface SweepsOptions {
  /** Told what a sweep threw, and, with `null`, what goes wrong with the sweeping itself. */
  readonly onError: (error: Error, sweep: string | null) => void;
  /** How often to look whether all sweeps are still planned. Default 30 s. */
  readonly checkMs?: number;
  /** How long a sweep stays a dead coordinator's. Default 30 s. */
  readonly lockMs?: number;
  readonly now?: () => number;
}

const QUEUE = 'house';
const ENDS_WITHIN_MS = 5_000;
/** A plan this many turns behind is stuck: nobody takes it, though Redis answers. */
const STUCK_AFTER = 3;
const TEMPLATE = { attempts: 1, removeOnComplete: true, removeOnFail: { count: 10 }, stackTraceLimit: 3 };

/**
 * Sweeps by BullMQ's Job Schedulers. They live in Redis, so they are looked after: what FLUSHALL took is planned again, and where the fetching
 * has fallen asleep (it has, after reconnects, in several releases of BullMQ) it is begun anew.
 */
export class Sweeps {
  readonly #redis: FarmRedis;
  readonly #byName: ReadonlyMap<string, Sweep>;
  readonly #options: Required<SweepsOptions>;
  readonly #lock: SweepLock;
  readonly #stop = new AbortController();
  /** `next` of each sweep whose turn is over, as of the last check. */
  #late = new Map<string, number>();
  #hasForgotten = false;
  #timer: NodeJS.Timeout | null = null;
  #checking: Promise<void> = Promise.resolve();
  #worker: Worker | null = null;
  #connection: Redis | null = null;

  constructor(redis: FarmRedis, sweeps: readonly Sweep[], options: SweepsOptions) {
    this.#redis = redis;
    this.#byName = new Map(sweeps.map((sweep) => [sweep.name, sweep]));
    if (this.#byName.size !== sweeps.length) throw new Error('two sweeps have the same name');
    this.#options = { checkMs: 30_000, lockMs: 30_000, now: Date.now, ...options };
    this.#lock = new SweepLock(redis, this.#options.lockMs);
  }

  /** Plans the sweeps, forgets those that are not known any more, and begins. Redis may be away: it is planned when it is back. */
  async start(): Promise<void> {
    this.#open();
    this.#checking = this.#told(() => this.#check());
    await this.#checking;
    this.#timer = setInterval(() => {
      this.#checking = this.#checking.then(() => this.#told(() => this.#check()));
    }, this.#options.checkMs);
  }

  /** Tells running sweeps to stop, and waits for them. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#stop.abort(new Error('the coordinator ends'));
    await this.#checking;
    await this.#shut();
  }

  #open(): void {
    this.#connection = this.#redis.open('blocking');
    this.#worker = new Worker(QUEUE, (job) => this.#run(job), {
      connection: this.#connection,
      prefix: this.#redis.prefix,
      skipVersionCheck: true,
      // A turn that finds its sweep running ends at once, and must not wait for a free place.
      concurrency: this.#byName.size * 2 + 1,
      maxStalledCount: 0,
      // Its default of 15 s is what a restart of Redis would add to each sweep.
      runRetryDelay: 1_000,
    });
    this.#worker.on('error', (error) => this.#options.onError(error, null));
  }

  async #shut(): Promise<void> {
    const [worker, connection] = [this.#worker, this.#connection];
    this.#worker = null;
    this.#connection = null;
    if (worker === null || connection === null) return;
    // Without Redis, or when it stops answering, it would wait for ever.
    await within(ENDS_WITHIN_MS, worker.close(!this.#redis.isUp));
    await closeRedis(connection);
  }

  /** Never throws: a failed turn is told, and the next one comes all the same. */
  async #run(job: Job): Promise<void> {
    const sweep = this.#byName.get(job.name);
    if (sweep === undefined || this.#isEnding()) return;
    try {
      await this.#lock.runAlone(sweep.name, this.#stop.signal, (signal) => sweep.run(signal));
    } catch (error) {
      if (!this.#isEnding()) this.#options.onError(error as Error, sweep.name);
    }
  }

  #isEnding(): boolean {
    return this.#stop.signal.aborted;
  }

  async #told(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.onError(error as Error, null);
    }
  }

  async #check(): Promise<void> {
    if (this.#isEnding()) return;
    if (!this.#hasForgotten) await this.#forgetUnknown();
    const late = new Map<string, number>();
    // One by one: BullMQ refuses to plan a sweep whose turn is just being taken, and the others are not to wait for that.
    for (const sweep of this.#byName.values()) await this.#told(() => this.#look(sweep, late));
    const stuck = [...this.#byName.values()].filter(({ name }) => {
      const next = late.get(name);
      return next !== undefined && next === this.#late.get(name);
    });
    this.#late = stuck.length > 0 ? new Map<string, number>() : late;
    if (stuck.length > 0) await this.#beginAnew(stuck);
  }

  /** At the start only: while a farm is updated, its coordinators know different sweeps. */
  async #forgetUnknown(): Promise<void> {
    const queue = this.#redis.queue(QUEUE);
    const planned = await this.#redis.run(() => queue.getJobSchedulers());
    for (const { key } of planned) {
      if (!this.#byName.has(key)) await this.#redis.run(() => queue.removeJobScheduler(key));
    }
    this.#hasForgotten = true;
  }

  async #look(sweep: Sweep, late: Map<string, number>): Promise<void> {
    const queue = this.#redis.queue(QUEUE);
    const plan = await this.#redis.run(() => queue.getJobScheduler(sweep.name));
    if (plan?.every !== sweep.everyMs) await this.#plan(sweep);
    else if (this.#isLate(sweep, plan)) late.set(sweep.name, plan.next ?? 0);
  }

  #isLate(sweep: Sweep, plan: JobSchedulerJson): boolean {
    return (plan.next ?? 0) < this.#options.now() - STUCK_AFTER * sweep.everyMs;
  }

  async #plan(sweep: Sweep): Promise<void> {
    const queue = this.#redis.queue(QUEUE);
    const template = { name: sweep.name, opts: TEMPLATE };
    await this.#redis.run(() => queue.upsertJobScheduler(sweep.name, { every: sweep.everyMs }, template));
  }

  async #beginAnew(stuck: readonly Sweep[]): Promise<void> {
    const names = stuck.map(({ name }) => name).join(', ');
    this.#options.onError(new Error(`sweeps did not come round, and are begun anew: ${names}`), null);
    const queue = this.#redis.queue(QUEUE);
    for (const sweep of stuck) {
      await this.#told(async () => {
        await this.#redis.run(() => queue.removeJobScheduler(sweep.name));
        await this.#plan(sweep);
      });
    }
    const [worker, connection] = [this.#worker, this.#connection];
    this.#open();
    // Not waited for: it may be the one that hangs.
    void worker?.close(true).catch(() => undefined);
    connection?.disconnect();
  }
}

/** Gives up waiting, not the work. */
async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise((resolve) => (timer = setTimeout(resolve, limitMs)));
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
