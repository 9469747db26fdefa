import { Injectable } from '@nestjs/common';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { MAX_CHUNK_BYTES, type AttemptId } from '#libs/contracts';
import { LogStore } from '#libs/artifacts';
import { Wakes } from '#libs/queue';
import { addLogChunk, setLogBytes, transact } from '#libs/store';
import { requireKnownAttempt, type AttemptClaim } from '../attempts/own-attempt.js';
import { OffsetError } from '../error.filter.js';
import { Clock, Store } from '../store.js';
import { limitBytes } from './limit-bytes.js';

/** Channel that tells those who follow a log that it has grown. */
export function logChannel(attempt: AttemptId): string {
  return `log:${attempt}`;
}

/** Logs as they come in: by offset, so that nothing is kept twice and nothing is missed. */
@Injectable()
export class AttemptLogs {
  constructor(
    private readonly store: Store,
    private readonly logs: LogStore,
    private readonly wakes: Wakes,
    private readonly clock: Clock,
  ) {}

  /**
   * Keeps bytes of a log; also of an attempt that is over, whose agent had them in its spool. Resolves to the length of the log. Throws WRONG_OFFSET,
   * with the right one.
   *
   * @param lost bytes that the agent could not keep and that would have stood in front of these
   */
  async append(claim: AttemptClaim, offset: number, lost: number, body: Readable): Promise<number> {
    await requireKnownAttempt(this.store.db, claim);
    const bytes = await buffer(limitBytes(body, MAX_CHUNK_BYTES, 'log'));
    const marked = lost === 0 ? bytes : Buffer.concat([lossLine(lost, this.clock.now()), bytes]);
    const before = await this.logs.length(claim.attempt);
    if (offset > before) throw new OffsetError(before);
    const length = await this.logs.append(claim.attempt, offset, marked);
    if (length > before) {
      await this.#note(claim.attempt, before, length);
      void this.wakes.publish(logChannel(claim.attempt), '');
    }
    return length;
  }

  async #note(attemptId: AttemptId, offset: number, length: number): Promise<void> {
    const chunk = { attemptId, offset, bytes: length - offset, receivedAt: this.clock.now() };
    await transact(this.store.db, async (tx) => {
      await addLogChunk(tx, chunk);
      await setLogBytes(tx, attemptId, length);
    });
  }
}

/** Of the form of the log's other lines. */
function lossLine(lost: number, now: number): Buffer {
  return Buffer.from(
    `${new Date(now).toISOString()} - dc | ${lost} bytes lost here: the agent no longer has them\n`,
  );
}
