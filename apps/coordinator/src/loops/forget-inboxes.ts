import { AgentInbox } from '#libs/queue';
import { listAgents, readMeta, setMeta } from '#libs/store';
import { Injectable } from '@nestjs/common';
import { Clock, Store } from '../store.js';

/** Agents revoked before then have no messages any more; milliseconds since 1970. */
const DONE_UNTIL = 'inboxes-forgotten-until';
/** Whoever revokes an agent may still be at it. */
const MARGIN_MS = 60_000;

/** Messages of a revoked agent that Redis kept, since it did not answer when they were to go with it. */
@Injectable()
export class ForgetInboxes {
  constructor(
    private readonly store: Store,
    private readonly inbox: AgentInbox,
    private readonly clock: Clock,
  ) {}

  async pass(): Promise<void> {
    const { db } = this.store;
    const now = this.clock.now();
    const doneUntil = Number(await readMeta(db, DONE_UNTIL)) || 0;
    for (const { id, revokedAt } of await listAgents(db)) {
      if (revokedAt === null || revokedAt < doneUntil) continue;
      if (!(await this.inbox.forget(id))) return;
    }
    await setMeta(db, DONE_UNTIL, String(now - MARGIN_MS));
  }
}
