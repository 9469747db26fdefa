import { FarmError } from '#libs/contracts';
import { Queue, QueueKeys, RedisConnection, RedisQueueBackend, Worker, type BackendFactory } from 'bullmq';
import type { Redis } from 'ioredis';
import { closeRedis, describeRedis, openRedis, type RedisConfig, type RedisUse } from './redis-config.js';

export interface FarmRedisOptions {
  readonly config: RedisConfig;
  /** In front of all keys and channels. In braces, so that a farm's keys stay together in a Redis cluster. Default `{farm}`. */
  readonly prefix?: string;
  /** Told each time a connection fails; it is retried in any case. */
  readonly onError: (error: Error) => void;
}

/**
 * A process's one connection for commands, and BullMQ's objects on it. They have no connection and no timer of their own here, so that one is
 * made for each use and a farm may have a thousand agents; see docs/decisions.md.
 */
export class FarmRedis {
  readonly prefix: string;
  readonly #options: FarmRedisOptions;
  readonly #commands: Redis;
  readonly #shared: RedisConnection;

  constructor(options: FarmRedisOptions) {
    this.#options = options;
    this.prefix = options.prefix ?? '{farm}';
    this.#commands = openRedis(options.config, 'command', options.onError);
    // Neither asks the version nor waits: a RedisConnection whose first INFO fails stays broken for good.
    this.#shared = new RedisConnection(this.#commands, {
      shared: true,
      blocking: false,
      skipVersionCheck: true,
      skipWaitingForReady: true,
    });
    // It throws without a listener; `onError` has been told already.
    this.#shared.on('error', () => undefined);
  }

  get isUp(): boolean {
    return this.#commands.status === 'ready';
  }

  /** For people; without the password. */
  get where(): string {
    return describeRedis(this.#options.config);
  }

  /** Resolves when Redis answers; throws UNAVAILABLE when it does not for `timeoutMs`. */
  async untilUp(timeoutMs: number): Promise<void> {
    if (this.isUp) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#commands.off('ready', up);
        reject(this.#unavailable(null));
      }, timeoutMs);
      const up = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#commands.once('ready', up);
    });
  }

  /** Throws UNAVAILABLE, with what Redis said as its cause. */
  async run<T>(use: (commands: Redis) => Promise<T>): Promise<T> {
    try {
      return await use(this.#commands);
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  /** Another connection, owned by the caller. */
  open(use: Exclude<RedisUse, 'command'>): Redis {
    return openRedis(this.#options.config, use, this.#options.onError);
  }

  /** For adding and removing. Not to be closed. */
  queue(name: string) {
    const options = { connection: {}, prefix: this.prefix, skipMetasUpdate: true };
    return new Queue(name, options, this.#onShared);
  }

  /** For fetching by hand; it never runs. Not to be closed. */
  fetcher(name: string, options: { readonly lockMs: number; readonly stalledCheckMs: number }) {
    return new Worker(
      name,
      null,
      {
        connection: {},
        prefix: this.prefix,
        autorun: false,
        lockDuration: options.lockMs,
        stalledInterval: options.stalledCheckMs,
        maxStalledCount: 0,
      },
      this.#onShared,
    );
  }

  /** Ends the connection for commands; what is under way fails. */
  async close(): Promise<void> {
    await closeRedis(this.#commands);
  }

  readonly #onShared: BackendFactory = (name, options) => {
    const keys = new QueueKeys(this.prefix);
    const toKey = (type: string) => keys.toKey(name, type);
    return new RedisQueueBackend(this.#shared, name, keys.getKeys(name), toKey, options, undefined, false);
  };

  #unavailable(cause: unknown): FarmError {
    const said = cause instanceof Error ? `: ${cause.message}` : '';
    return new FarmError(
      'UNAVAILABLE',
      `Redis at ${this.where} does not answer${said}`,
      'Nothing is lost. Try again in a moment; if it lasts, look at Redis.',
      [],
      { cause },
    );
  }
}

/** BullMQ's Worker on the shared connection. */
export type Fetcher = ReturnType<FarmRedis['fetcher']>;
