import type { Redis } from 'ioredis';
import type { FarmRedis } from './farm-redis.js';
import { closeRedis } from './redis-config.js';

/** `text` is empty when wake-ups may have been missed: whoever gets it looks for himself. */
type Woken = (text: string) => void;

const COMMANDS_BACK_WITHIN_MS = 5_000;

/**
 * Wake-ups between the coordinators of a farm. They are hints: one may come twice, or not at all while Redis is away, so whoever waits for
 * one also looks by himself from time to time. All of a farm go through one Redis channel and each process picks its own, so that
 * subscribing takes no round trip in which one could be missed.
 */
export class Wakes {
  readonly #redis: FarmRedis;
  readonly #onError: (error: Error) => void;
  readonly #subscriber: Redis;
  readonly #subscribed = new Map<string, Set<Woken>>();
  /** Resolves when this process hears the others; repeated by itself after each reconnect. */
  readonly ready: Promise<void>;

  constructor(redis: FarmRedis, onError: (error: Error) => void) {
    this.#redis = redis;
    this.#onError = onError;
    this.#subscriber = redis.open('subscriber');
    this.#subscriber.on('message', (_channel, message) => this.#hear(message));
    this.ready = new Promise((resolve) => {
      this.#subscriber.on('ready', () => void this.#listen().then(resolve));
    });
  }

  /** False when Redis does not answer; then only those in this process are woken. */
  async publish(channel: string, text: string): Promise<boolean> {
    try {
      await this.#redis.run((commands) => commands.publish(this.#redisChannel, `${channel} ${text}`));
      return true;
    } catch {
      this.#wake(channel, text);
      return false;
    }
  }

  /** Calls back until the returned function is called. What a callback throws is told to `onError`. */
  subscribe(channel: string, woken: Woken): () => void {
    const all = this.#subscribed.get(channel) ?? new Set();
    this.#subscribed.set(channel, all);
    // Its own function: the same one may subscribe twice.
    const own: Woken = (text) => woken(text);
    all.add(own);
    return () => {
      all.delete(own);
      if (all.size === 0 && this.#subscribed.get(channel) === all) this.#subscribed.delete(channel);
    };
  }

  async close(): Promise<void> {
    this.#subscribed.clear();
    await closeRedis(this.#subscriber);
  }

  get #redisChannel(): string {
    return `${this.#redis.prefix}:wakes`;
  }

  async #listen(): Promise<void> {
    try {
      await this.#subscriber.subscribe(this.#redisChannel);
      // Whoever is woken looks at once, over the other connection.
      await this.#redis.untilUp(COMMANDS_BACK_WITHIN_MS).catch(() => undefined);
      for (const channel of this.#subscribed.keys()) this.#wake(channel, '');
    } catch (error) {
      // The connection has gone again; the next 'ready' comes here too.
      this.#onError(error as Error);
    }
  }

  #hear(message: string): void {
    const space = message.indexOf(' ');
    if (space !== -1) this.#wake(message.slice(0, space), message.slice(space + 1));
  }

  #wake(channel: string, text: string): void {
    for (const woken of [...(this.#subscribed.get(channel) ?? [])]) {
      try {
        woken(text);
      } catch (error) {
        this.#onError(error as Error);
      }
    }
  }
}
