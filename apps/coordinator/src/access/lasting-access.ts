import type { TokenId } from '#libs/contracts';
import { tokenHolds } from '#libs/store';
import type { Clock, Store } from '../store.js';

/** An answer may go on for hours; so long after its token has expired or was revoked it ends. */
const LOOK_EVERY_MS = 2_000;

/** Whether who is being answered may still be: an answer that follows something goes on when its token does not hold any more. */
export class LastingAccess {
  #lookedAt: number;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly token: TokenId,
  ) {
    this.#lookedAt = clock.now();
  }

  /** Looks at the record at most every two seconds, so it may be called as often as something is sent. */
  async holds(): Promise<boolean> {
    const now = this.clock.now();
    if (now - this.#lookedAt < LOOK_EVERY_MS) return true;
    this.#lookedAt = now;
    return await tokenHolds(this.store.db, this.token, now);
  }
}
