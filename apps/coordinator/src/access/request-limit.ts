import { Injectable } from '@nestjs/common';
import { FarmError } from '#libs/contracts';
import { CoordinatorConfig } from '../config.js';
import { Clock } from '../store.js';

const WINDOW_MS = 60_000;
/** Wrong secrets a minute from one address. */
const FAILURES_PER_WINDOW = 60;
/** Addresses and tokens remembered at most; then all are forgotten, which only lets more through. */
const MOST_COUNTED = 100_000;

/** Requests per minute and token, and wrong secrets per minute and address. Each coordinator counts for itself. */
@Injectable()
export class RequestLimit {
  readonly #counts = new Map<string, number>();
  #windowStart = 0;

  constructor(
    private readonly config: CoordinatorConfig,
    private readonly clock: Clock,
  ) {}

  /** Throws TOO_MANY. */
  count(who: string): void {
    this.#count(who, this.config.requestsPerMinute);
  }

  /** Throws TOO_MANY instead of what the caller would say about the secret. */
  countFailure(address: string): void {
    this.#count(`failures ${address}`, FAILURES_PER_WINDOW);
  }

  #count(key: string, most: number): void {
    const now = this.clock.now();
    if (now - this.#windowStart >= WINDOW_MS || this.#counts.size > MOST_COUNTED) {
      this.#counts.clear();
      this.#windowStart = now;
    }
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count <= most) return;
    const seconds = Math.ceil((this.#windowStart + WINDOW_MS - now) / 1000);
    throw new FarmError('TOO_MANY', `more than ${most} requests in a minute`, `Try again in ${seconds} s.`);
  }
}
