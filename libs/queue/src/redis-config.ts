import { Redis, type RedisOptions } from 'ioredis';
import { once } from 'node:events';

/** Where Redis is: a unix socket, or `redis://` / `rediss://` with user and password in it. */
export type RedisConfig =
  { readonly kind: 'socket'; readonly path: string } | { readonly kind: 'url'; readonly url: string };

/**
 * `command`: fails at once, or after 5 s, when Redis does not answer, so that a request ends in "try again" and not in silence.
 * `blocking`, `subscriber`: wait for Redis to come back, for as long as it takes.
 */
export type RedisUse = 'command' | 'blocking' | 'subscriber';

const COMMAND_TIMEOUT_MS = 5_000;
const LONGEST_RETRY_DELAY_MS = 1_000;

const BASE: RedisOptions = {
  connectTimeout: COMMAND_TIMEOUT_MS,
  // Redis on the next host is back within seconds; a longer delay would only add to the gap.
  retryStrategy: (times) => Math.min(times * 50, LONGEST_RETRY_DELAY_MS),
};
const BY_USE: Readonly<Record<RedisUse, RedisOptions>> = {
  command: { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: COMMAND_TIMEOUT_MS },
  blocking: { maxRetriesPerRequest: null },
  // Subscribes by itself on each connect, to know when it is in place again.
  subscriber: { maxRetriesPerRequest: null, autoResubscribe: false },
};

/** A connection that is being made; it reconnects until it is closed. `onError` is told why it does not. */
export function openRedis(config: RedisConfig, use: RedisUse, onError: (error: Error) => void): Redis {
  const options = {
    ...BASE,
    ...BY_USE[use],
    connectionName: `distrofarm-${use}`,
    replyMapping: 'legacy' as const,
  };
  const redis =
    config.kind === 'socket' ? new Redis({ ...options, path: config.path }) : new Redis(config.url, options);
  return redis.on('error', onError);
}

/** Ends the connection; what is under way fails. Resolves when its socket is closed. May be called again. */
export async function closeRedis(redis: Redis): Promise<void> {
  if (redis.status === 'end') return;
  // Between two tries there is no socket, and 'end' does not come.
  const ended = redis.status === 'reconnecting' || redis.status === 'close' ? null : once(redis, 'end');
  redis.disconnect();
  await ended;
}

/** Without the password. */
export function describeRedis(config: RedisConfig): string {
  if (config.kind === 'socket') return config.path;
  const { protocol, host, pathname } = new URL(config.url);
  return `${protocol}//${host}${pathname}`;
}
