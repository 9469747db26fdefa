import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Log } from '../log.js';
import { FarmRedis, Sweeps, Wakes } from '#libs/queue';
import { CoordinatorConfig } from '../config.js';
import { Duty, DUTY_RENEWAL_MS } from '../scheduling/duty.js';
import { SettleKeys } from '../fingerprints/settle-keys.js';
import { Replication } from '../scheduling/replication.js';
import { MOST_PLACEMENTS, ScheduleJobs } from '../scheduling/schedule-jobs.js';
import { SendMessages } from '../scheduling/send-messages.js';
import {
  FINGERPRINTS_CHANNEL,
  PLACES_CHANNEL,
  REPLICAS_CHANNEL,
  ROOM_CHANNEL,
  SCHEDULING_CHANNEL,
} from '../work.js';
import { CollectBuilds } from './collect-builds.js';
import { CollectCheckpoints } from './collect-checkpoints.js';
import { ForgetInboxes } from './forget-inboxes.js';
import { FindLost } from './find-lost.js';
import { RunningLoop } from './run-loop.js';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Everything that a coordinator does by itself. What only one coordinator may do is done by the one that has the duty. */
@Injectable()
export class Loops implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #stop = new AbortController();
  readonly #running: RunningLoop[] = [];
  #unsubscribe: () => void = () => undefined;
  #sweeps: Sweeps | null = null;

  constructor(
    private readonly duty: Duty,
    private readonly schedule: ScheduleJobs,
    private readonly messages: SendMessages,
    private readonly replication: Replication,
    private readonly keys: SettleKeys,
    private readonly lost: FindLost,
    private readonly collect: CollectBuilds,
    private readonly checkpoints: CollectCheckpoints,
    private readonly inboxes: ForgetInboxes,
    private readonly redis: FarmRedis,
    private readonly wakes: Wakes,
    private readonly config: CoordinatorConfig,
    private readonly log: Log,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.duty.renew().catch((error: unknown) => this.#failed('duty', error));
    const schedule = this.#start('schedule', 2 * SECOND_MS, async () => {
      if ((await this.#schedule()) >= MOST_PLACEMENTS) schedule.wake();
    });
    // Late enough that an agent is never given up before its lease is over, early enough that nobody notices.
    this.#start('lost', Math.min(5 * SECOND_MS, this.config.leaseMs / 10), async () => {
      const { since } = this.duty;
      if (since !== null) await this.lost.pass(since);
    });
    const replicas = this.#start('replicas', 5 * SECOND_MS, async () => {
      if (this.duty.since !== null) await this.replication.pass();
    });
    const fingerprints = this.#start('fingerprints', 5 * SECOND_MS, async () => {
      if (this.duty.since !== null) await this.keys.pass(this.duty.holder);
    });
    const room = this.#start('room', 10 * MINUTE_MS, async () => {
      if (this.duty.since !== null) await this.checkpoints.pass();
    });
    this.#start('duty', DUTY_RENEWAL_MS, async () => {
      const before = this.duty.since;
      await this.duty.renew();
      // The others come round in seconds.
      if (before === null && this.duty.since !== null) room.wake();
    });
    const wakings = [
      this.wakes.subscribe(SCHEDULING_CHANNEL, () => schedule.wake()),
      this.wakes.subscribe(REPLICAS_CHANNEL, () => replicas.wake()),
      this.wakes.subscribe(FINGERPRINTS_CHANNEL, () => fingerprints.wake()),
      this.wakes.subscribe(ROOM_CHANNEL, () => room.wake()),
      this.wakes.subscribe(PLACES_CHANNEL, () => {
        fingerprints.wake();
        if (this.replication.isWanted) replicas.wake();
      }),
    ];
    this.#unsubscribe = () => wakings.forEach((unsubscribe) => unsubscribe());
    this.#sweeps = new Sweeps(
      this.redis,
      [
        { name: 'resend', everyMs: 15 * SECOND_MS, run: async () => await this.messages.resend() },
        { name: 'forget', everyMs: 15 * SECOND_MS, run: async () => await this.inboxes.pass() },
        { name: 'collect', everyMs: 10 * MINUTE_MS, run: async () => await this.collect.pass() },
        { name: 'trim', everyMs: HOUR_MS, run: async () => await this.collect.trim() },
      ],
      { onError: (error, sweep) => this.#failed(sweep ?? 'sweeps', error) },
    );
    await this.#sweeps.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#unsubscribe();
    this.#stop.abort();
    await Promise.all(this.#running.map(({ ended }) => ended));
    await this.#sweeps?.close();
    await this.duty.release().catch((error: unknown) => this.#failed('duty', error));
  }

  /** Resolves to the number of jobs assigned. */
  async #schedule(): Promise<number> {
    if (this.duty.since === null) return 0;
    const assigned = await this.schedule.pass(this.duty.holder);
    await this.messages.sendAll();
    return assigned;
  }

  #start(name: string, everyMs: number, pass: () => Promise<void>): RunningLoop {
    const loop = new RunningLoop({ name, everyMs, pass }, this.#stop.signal, (loop, error) =>
      this.#failed(loop, error),
    );
    this.#running.push(loop);
    return loop;
  }

  #failed(loop: string, error: unknown): void {
    this.log.warn({ component: 'loop', loop, err: error }, 'a pass failed; the next one tries again');
  }
}
