import { Injectable } from '@nestjs/common';
import type { Readable } from 'node:stream';
import { MAX_LOG_CHUNK_BYTES, type AttemptId } from '#libs/contracts';
import { LogStore } from '#libs/artifacts';
import { Wakes } from '#libs/queue';
import { addLogChunk, findAttempt, setLogBytes, transact } from '#libs/store';
import { requireKnownAttempt, type AttemptClaim } from '../attempts/own-attempt.js';
import { OffsetError } from '../error.filter.js';
import { Clock, Store } from '../store.js';
import { inPieces } from './in-pieces.js';
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
   * with the right one. Of a body that breaks off, what was written by then is kept.
   */
  async append(claim: AttemptClaim, offset: number, body: Readable): Promise<number> {
    const { attempt } = claim;
    const { log_bytes: noted } = await requireKnownAttempt(this.store.db, claim);
    const before = await this.logs.length(attempt);
    if (offset > before) throw new OffsetError(before);
    const receiving = this.#receive(attempt, offset, before, limitBytes(body, MAX_LOG_CHUNK_BYTES, 'log'));
    const length = await receiving.catch(async () => await this.logs.length(attempt));
    // Also what was kept before, when the note of it failed or the process died behind it.
    if (length > noted) {
      await this.#note(attempt, length);
      void this.wakes.publish(logChannel(attempt), '');
    }
    return await receiving;
  }

  /** A piece is received while the one before it is written. */
  async #receive(attempt: AttemptId, offset: number, before: number, body: Readable): Promise<number> {
    let writing = Promise.resolve(before);
    try {
      let at = offset;
      for await (const piece of inPieces(body, this.logs.pieceBytes)) {
        await writing;
        writing = this.logs.append(attempt, at, piece);
        // It is awaited below, and must not end the process until then.
        writing.catch(() => undefined);
        at += piece.length;
      }
      return await writing;
    } finally {
      await Promise.allSettled([writing]);
    }
  }

  /** From what was noted last: a process that died may have kept more than it noted. */
  async #note(attemptId: AttemptId, length: number): Promise<void> {
    const receivedAt = this.clock.now();
    await transact(this.store.db, async (tx) => {
      const offset = (await findAttempt(tx, attemptId))?.log_bytes ?? 0;
      if (length <= offset) return;
      await addLogChunk(tx, { attemptId, offset, bytes: length - offset, receivedAt });
      await setLogBytes(tx, attemptId, length);
    });
  }
}
