import type { AgentSettings, AreaName, AttemptId, HeartbeatResponse } from '#libs/contracts';
import { ApiError } from '#libs/http-client';
import type { Space } from '#libs/engine';
import type { Logger } from 'pino';
import type { AreaSizes } from '../areas/area-sizes.js';
import type { AttemptControl } from '../attempts/attempt.js';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { hostLoad } from '../host/host-facts.js';
import { heartbeatTimeoutMs, newsOf, nextHeartbeatMs, runOut } from './lease-decisions.js';
import { pause } from '../link/persistently.js';
import { Wakeable } from '../wakeable.js';

export interface LeaseKeeperOptions {
  readonly link: CoordinatorLink;
  readonly instance: string;
  readonly space: () => Promise<Space>;
  readonly sizes: Pick<AreaSizes, 'untold' | 'told'>;
  /** Told to remove these areas; may be told again. */
  readonly onDrop: (areas: readonly AreaName[]) => void;
  /** There may be checkpoints to copy. */
  readonly onReplicate: () => void;
  /** A copy came that an attempt may wait for. */
  readonly onCopied: () => void;
  /** There may be fingerprints to ask for. */
  readonly onFingerprints: () => void;
  /** There may be a checkpoint to list. */
  readonly onListings: () => void;
  /** Another process uses this agent's key, or the key is no longer good. */
  readonly onRefused: (error: ApiError) => void;
  readonly log: Logger;
  /** Monotonic. Default: performance.now. */
  readonly now?: () => number;
}

interface HeldLease {
  readonly attempt: AttemptId;
  readonly control: AttemptControl;
  renewedAtMs: number;
}

/** Renews the leases of all attempts with heartbeats, passes on what is wanted of them, and stops those whose lease has run out. */
export class LeaseKeeper {
  readonly #held = new Map<AttemptId, HeldLease>();
  readonly #dropped = new Set<AreaName>();
  readonly #wakeable = new Wakeable();
  readonly #now: () => number;
  #settings: AgentSettings;
  leaving = false;

  constructor(
    private readonly options: LeaseKeeperOptions,
    settings: AgentSettings,
  ) {
    this.#settings = settings;
    this.#now = options.now ?? (() => performance.now());
  }

  get settings(): AgentSettings {
    return this.#settings;
  }

  /** From now on, until `release`, the lease is renewed. */
  hold(control: AttemptControl, renewedAtMs: number): void {
    const { attempt } = control.key;
    this.#held.set(attempt, { attempt, control, renewedAtMs });
    this.beatNow();
  }

  release(control: AttemptControl): void {
    this.#held.delete(control.key.attempt);
  }

  /** Tells the coordinator with the next heartbeat. */
  reportDropped(area: AreaName): void {
    this.#dropped.add(area);
  }

  beatNow(): void {
    this.#wakeable.wake();
  }

  /** Beats until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const watch = setInterval(() => this.#stopRunOut(), watchIntervalMs(this.#settings));
    try {
      while (!signal.aborted) {
        await this.beatOnce(signal);
        await this.#wakeable.wait(nextHeartbeatMs(this.#settings.heartbeatMs, Math.random()), signal);
      }
    } finally {
      clearInterval(watch);
    }
  }

  /** Follows the coordinator's hints until aborted. */
  async listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const hint of this.options.link.wake(signal)) {
          this.options.log.debug({ hint: hint.event }, 'woken');
          if (hint.event === REPLICATE_HINT) this.options.onReplicate();
          else if (hint.event === COPIED_HINT) this.options.onCopied();
          else if (hint.event === FINGERPRINTS_HINT) this.options.onFingerprints();
          else if (hint.event === LISTINGS_HINT) this.options.onListings();
          else this.beatNow();
        }
      } catch (error) {
        // Only hints are lost, and the next heartbeat comes anyway.
        this.options.log.debug({ err: error }, 'wake stream broke off');
      }
      await pause(Math.min(RECONNECT_MS, this.#settings.heartbeatMs), signal).catch(() => undefined);
    }
  }

  /** One heartbeat, and what its answer says. Does not throw. */
  async beatOnce(signal: AbortSignal): Promise<void> {
    const { link, log, instance } = this.options;
    this.#stopRunOut();
    const sentAtMs = this.#now();
    const held = [...this.#held.values()].map((lease) => ({ lease, key: lease.control.key }));
    const dropped = [...this.#dropped].slice(0, MOST_DROPPED);
    const sizes = this.options.sizes.untold();
    try {
      const body = {
        instance,
        load: hostLoad(),
        ...(await this.#space()),
        attempts: held.map(({ key: { attempt, epoch, token } }) => ({ attempt, epoch, token })),
        dropped,
        sizes,
        leaving: this.leaving,
      };
      const { heartbeatMs, selfStopMs } = this.#settings;
      const answer = await link.heartbeat(body, heartbeatTimeoutMs(heartbeatMs, selfStopMs), signal);
      for (const area of dropped) this.#dropped.delete(area);
      this.options.sizes.told(sizes);
      for (const { lease } of held) this.#apply(lease, sentAtMs, answer);
      this.#settings = answer.settings;
      if (answer.drop.length > 0) this.options.onDrop(answer.drop);
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error }, 'heartbeat failed');
      if (error instanceof ApiError && isFinal(error)) this.options.onRefused(error);
    }
  }

  #apply(lease: HeldLease, sentAtMs: number, answer: HeartbeatResponse): void {
    const { attempt, control } = lease;
    const news = newsOf(attempt, answer);
    // Released while the heartbeat was under way: it ended well, whatever the answer says.
    if (news.kind === 'unanswered' || this.#held.get(attempt) !== lease) return;
    if (news.kind === 'renewed') {
      lease.renewedAtMs = sentAtMs;
      control.want(news);
      return;
    }
    this.options.log.warn({ attempt }, 'the job was taken back');
    this.#held.delete(attempt);
    control.stop('stale');
  }

  #stopRunOut(): void {
    for (const attempt of runOut(this.#held.values(), this.#now(), this.#settings.selfStopMs)) {
      this.options.log.error({ attempt }, 'the lease ran out; its step is stopped');
      this.#held.get(attempt)?.control.stop('lease-lost');
      this.#held.delete(attempt);
    }
  }

  /** A store that does not answer must not cost the leases. */
  async #space(): Promise<Space> {
    try {
      const { freeBytes, usedBytes } = await this.options.space();
      return { freeBytes: Math.floor(freeBytes), usedBytes: Math.floor(usedBytes) };
    } catch (error) {
      this.options.log.error({ err: error }, 'the store does not say how much room there is');
      return { freeBytes: 0, usedBytes: 0 };
    }
  }
}

const REPLICATE_HINT = 'replicate';
const COPIED_HINT = 'copied';
const FINGERPRINTS_HINT = 'fingerprints';
const LISTINGS_HINT = 'listings';
const MOST_DROPPED = 1000;
const RECONNECT_MS = 1_000;

/** Late by so much at the most is a lease noticed to have run out. */
function watchIntervalMs({ selfStopMs }: AgentSettings): number {
  return Math.max(10, Math.min(500, Math.floor(selfStopMs / 10)));
}

/** The key is no longer good, or another process said hello with it. */
function isFinal({ status, code }: ApiError): boolean {
  return status === 401 || status === 403 || code === 'CONFLICT';
}
