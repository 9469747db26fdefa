import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { Log } from '../log.js';
import { releaseDuty, takeDuty } from '#libs/store';
import { Clock, Store } from '../store.js';

export const SCHEDULE_DUTY = 'schedule';

/** A coordinator that is killed loses the duty after so long. */
const TTL_MS = 5_000;
export const DUTY_RENEWAL_MS = 1_000;

/**
 * The duty to schedule, which one coordinator of a farm has at a time: a row of the database that its holder keeps renewing. Whatever only the holder may
 * do asks again for it in its own transaction (`holdsDuty`), so a holder that slept through its term changes nothing.
 */
@Injectable()
export class Duty {
  /** Names this process among all coordinators. */
  readonly holder = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  #since: number | null = null;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** When this process took the duty over without a break; `null`: it is another's. */
  get since(): number | null {
    return this.#since;
  }

  async renew(): Promise<void> {
    const now = this.clock.now();
    let mine = false;
    try {
      mine = await takeDuty(this.store.db, SCHEDULE_DUTY, this.holder, now, TTL_MS);
    } finally {
      if (mine !== (this.#since !== null)) {
        this.#since = mine ? now : null;
        this.log.info(
          { component: 'duty', holder: this.holder },
          mine ? 'schedules from now on' : 'schedules no more',
        );
      }
    }
  }

  async release(): Promise<void> {
    if (this.#since === null) return;
    this.#since = null;
    await releaseDuty(this.store.db, SCHEDULE_DUTY, this.holder);
  }
}
