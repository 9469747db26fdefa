import { Injectable } from '@nestjs/common';
import { DispatchQueue } from '#libs/queue';
import { markSent, resendUnfetched, unsentMessages } from '#libs/store';
import { Clock, Store } from '../store.js';

const BATCH = 200;
/** An agent with a free slot waits for messages; one not fetched for so long may have been lost in Redis. */
const UNFETCHED_MS = 15_000;

/** From the outbox to BullMQ. A message may be given twice, never not at all: who gets one looks at the record. */
@Injectable()
export class SendMessages {
  constructor(
    private readonly store: Store,
    private readonly queue: DispatchQueue,
    private readonly clock: Clock,
  ) {}

  /** Throws what Redis throws; the rest then stays in the outbox. */
  async sendAll(): Promise<void> {
    for (;;) {
      const messages = await unsentMessages(this.store.db, BATCH);
      await Promise.all(
        messages.map(({ agent, attempt, epoch }) => this.queue.deliver(agent, { attempt, epoch })),
      );
      await markSent(
        this.store.db,
        messages.map(({ attempt }) => attempt),
        this.clock.now(),
      );
      if (messages.length < BATCH) return;
    }
  }

  /** Gives again what nobody has fetched. Where it is still there, that changes nothing. */
  async resend(): Promise<void> {
    if ((await resendUnfetched(this.store.db, this.clock.now() - UNFETCHED_MS)) > 0) await this.sendAll();
  }
}
