import type { FarmRedis } from './farm-redis.js';

/** Also when it is held by this token: its release may have been lost with the connection. */
const TAKE = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;
const EXTEND = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

/** Keeps the sweeps of one name from running in two places of the farm. */
export class SweepLock {
  readonly #token = crypto.randomUUID();
  readonly #running = new Set<string>();

  constructor(
    private readonly redis: FarmRedis,
    /** How long a sweep stays a dead coordinator's. */
    private readonly lockMs: number,
  ) {}

  /**
   * Runs `work` unless it runs already somewhere under this name; false then. Its signal comes with `stop`, or when the lock is lost (Redis was
   * flushed, or away for longer than `lockMs`): then another may start before this one has ended. Throws what `work` throws, and UNAVAILABLE.
   */
  async runAlone(
    name: string,
    stop: AbortSignal,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<boolean> {
    if (this.#running.has(name)) return false;
    this.#running.add(name);
    try {
      if (!(await this.#ask(TAKE, name))) return false;
      await this.#runHolding(name, stop, work);
      return true;
    } finally {
      this.#running.delete(name);
    }
  }

  async #runHolding(
    name: string,
    stop: AbortSignal,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const lost = new AbortController();
    const extend = setInterval(() => void this.#extend(name, lost), this.lockMs / 3);
    try {
      await work(AbortSignal.any([stop, lost.signal]));
    } finally {
      clearInterval(extend);
      // Where this fails, the lock runs out by itself.
      await this.#ask(RELEASE, name).catch(() => false);
    }
  }

  async #extend(name: string, lost: AbortController): Promise<void> {
    // While Redis is away nobody can take it; what has become of it is seen afterwards.
    const held = await this.#ask(EXTEND, name).catch(() => true);
    if (!held) lost.abort(new Error(`another coordinator may have begun the sweep "${name}"`));
  }

  async #ask(script: string, name: string): Promise<boolean> {
    const key = `${this.redis.prefix}:sweep:${name}`;
    return (
      (await this.redis.run((commands) => commands.eval(script, 1, key, this.#token, this.lockMs))) === 1
    );
  }
}
