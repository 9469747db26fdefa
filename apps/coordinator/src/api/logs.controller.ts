import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { once } from 'node:events';
import { AttemptId, FarmError } from '#libs/contracts';
import { LogStore } from '#libs/artifacts';
import { Wakes } from '#libs/queue';
import { findAttempt, type AttemptRow } from '#libs/store';
import { logChannel } from '../gateway/attempt-logs.js';
import { TheCaller, type Caller } from '../access/caller.js';
import { LastingAccess } from '../access/lasting-access.js';
import { Clock, Store } from '../store.js';

const READ_BYTES = 1024 * 1024;
/** Wake-ups may get lost, so a follower also looks by itself. */
const LOOK_MS = 1_000;
/** An agent that cannot reach the coordinator tries again sooner than this. When nothing more of a log comes for so long, nobody waits for it. */
const LATE_MS = 30_000;
/** A follower that does not read for so long is cut off; it goes on by its offset. */
const STALLED_MS = 30_000;

/** Bytes of a log; without a length, to its end. */
interface LogRange {
  readonly offset: number;
  readonly length: number;
}

/** Logs as bytes. Whoever loses the connection goes on at the offset he has: no holes, no repeats. */
@ApiTags('logs')
@ApiBearerAuth()
@Controller('api/v1/attempts')
export class LogsController {
  constructor(
    private readonly store: Store,
    private readonly logs: LogStore,
    private readonly wakes: Wakes,
    private readonly clock: Clock,
  ) {}

  @Get(':attempt/log')
  async log(
    @Param('attempt', { schema: AttemptId }) id: AttemptId,
    @Query('offset') offsetText: string | undefined,
    @Query('length') lengthText: string | undefined,
    @Query('follow') follow: string | undefined,
    @TheCaller() caller: Caller,
    @Res() response: Response,
  ): Promise<void> {
    const attempt = await findAttempt(this.store.db, id);
    if (attempt === null) throw new FarmError('NOT_FOUND', `there is no attempt ${id}`);
    const range = {
      offset: countOf('offset', offsetText) ?? 0,
      length: countOf('length', lengthText) ?? Infinity,
    };
    const held = await this.logs.length(id);
    if (attempt.state === 'ended' && attempt.log_bytes > 0 && held === 0)
      throw new FarmError('NOT_FOUND', `the log of attempt ${id} was removed by retention`);
    response.set({
      'Content-Type': 'application/octet-stream',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'distrofarm-log-bytes': String(held),
      'distrofarm-log-complete': String(await this.#isWhole(attempt)),
      'distrofarm-log-missing': String(await this.#missing(attempt)),
      'distrofarm-log-breaks-off': String(breaksOff(attempt)),
    });
    response.flushHeaders();
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const access = new LastingAccess(this.store, this.clock, caller.token);
    await this.#send(attempt, range, follow === 'true', response, { gone: gone.signal, access });
    response.end();
  }

  async #send(
    attempt: AttemptRow,
    range: LogRange,
    follow: boolean,
    response: Response,
    { gone, access }: { readonly gone: AbortSignal; readonly access: LastingAccess },
  ): Promise<void> {
    let offset = range.offset;
    const end = range.offset + range.length;
    let cameAt = performance.now();
    let wake: () => void = () => undefined;
    const stop = follow ? this.wakes.subscribe(logChannel(attempt.id), () => wake()) : () => undefined;
    try {
      while (!gone.aborted && offset < end && (await access.holds())) {
        const woken = new Promise<void>((resolve) => (wake = resolve));
        const current = (await findAttempt(this.store.db, attempt.id)) ?? attempt;
        const whole = await this.#isWhole(current);
        const bytes = await this.logs.read(attempt.id, offset, Math.min(READ_BYTES, end - offset));
        offset += bytes.length;
        if (bytes.length > 0) {
          await writeOrGiveUp(response, bytes, gone);
          cameAt = performance.now();
        } else if (!follow || whole) return;
        else if (current.state === 'ended' && performance.now() - cameAt > LATE_MS) return;
        else await Promise.race([woken, pause(LOOK_MS, gone)]);
      }
    } finally {
      stop();
    }
  }

  /** Of a log that breaks off, what there is is all. */
  async #isWhole(attempt: AttemptRow): Promise<boolean> {
    return attempt.state === 'ended' && (await this.#missing(attempt)) === 0;
  }

  /** Bytes that the agent says are in the log of an attempt that is over, and that are not here: still on their way, or lost with a disk. */
  async #missing(attempt: AttemptRow): Promise<number> {
    if (attempt.state !== 'ended' || attempt.log_final_bytes === null) return 0;
    return Math.max(0, attempt.log_final_bytes - (await this.logs.length(attempt.id)));
  }
}

/** Of an attempt that was lost nobody has said how long its log is: it may have written more than what came. */
function breaksOff({ state, claimed_at, log_final_bytes }: AttemptRow): boolean {
  return state === 'ended' && claimed_at !== null && log_final_bytes === null;
}

async function writeOrGiveUp(response: Response, bytes: Buffer, gone: AbortSignal): Promise<void> {
  if (response.write(bytes)) return;
  try {
    await once(response, 'drain', { signal: AbortSignal.any([gone, AbortSignal.timeout(STALLED_MS)]) });
  } catch {
    response.destroy();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}

function countOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new FarmError('INVALID', `${name}: found "${text}"; expected a count of bytes`);
}
