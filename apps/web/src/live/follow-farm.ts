import type { FarmEvent } from '#libs/contracts';
import { retryDelays, ServerEventParser } from '#libs/event-stream';
import { inWords, NotReached, notTheFarm, Refused } from '../session/api-failure.js';
import { contentTypeOf, type FarmApi } from '../session/farm-api.js';
import { parseShown } from '../session/visible-text.js';

/** The coordinator sends at least a comment every two seconds. */
const SILENCE_MS = 12_000;
const DELAYS = { firstMs: 400, maxMs: 5_000 };

/** Told what comes over the farm's event stream. */
export interface FarmListener {
  /** Events come in from now on. What changed before is not among them the first time. */
  opened(): void;
  event(event: FarmEvent): void;
  /** Events did not come one behind the other: some are missing, came twice, or are of a record that was restored. */
  disordered(): void;
  /** Nothing comes in, for this reason, as a sentence. It is tried again until it works, unless the token does not hold. */
  lost(why: string): void;
}

/**
 * Follows the farm until the signal: over any number of connections, each going on behind the last event that came. Returns when the token does not hold,
 * which whoever made the API is told.
 */
export async function followFarm(
  api: Pick<FarmApi, 'open'>,
  listener: FarmListener,
  signal: AbortSignal,
  pause = pauseFor,
): Promise<void> {
  let last: number | null = null;
  let delays = retryDelays(DELAYS);
  const isEnded = (): boolean => signal.aborted;
  while (!isEnded()) {
    const before: number | null = last;
    let waitMs = 0;
    try {
      for await (const event of eventsBehind(api, last, listener, signal)) {
        if (last === null || event.seq > last) listener.event(event);
        if (last !== null && event.seq !== last + 1) listener.disordered();
        last = event.seq;
      }
    } catch (error) {
      if (isEnded() || (error instanceof Refused && error.status === 401)) return;
      listener.lost(inWords(error).message);
      if (error instanceof Refused) waitMs = error.retryAfterMs ?? DELAYS.maxMs;
    }
    if (last !== before) delays = retryDelays(DELAYS);
    await pause(Math.max(waitMs, delays.next().value), signal);
  }
}

async function* eventsBehind(
  api: Pick<FarmApi, 'open'>,
  last: number | null,
  listener: FarmListener,
  signal: AbortSignal,
): AsyncGenerator<FarmEvent> {
  const silent = new AbortController();
  const both = AbortSignal.any([signal, silent.signal]);
  const headers = { Accept: 'text/event-stream' };
  const response = await api.open(`/events?after=${last ?? 'latest'}`, { signal: both, headers });
  const type = contentTypeOf(response);
  if (type !== 'text/event-stream') throw notTheFarm(type);
  if (response.body === null) return;
  listener.opened();
  const parser = new ServerEventParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const timer = setTimeout(() => silent.abort(), SILENCE_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      for (const { data } of parser.push(value)) yield eventOf(data);
    }
  } catch (error) {
    if (signal.aborted || error instanceof NotReached) throw error;
    throw new NotReached(
      silent.signal.aborted ? `nothing came for ${SILENCE_MS / 1000} s` : 'the connection broke off',
      null,
      { cause: error },
    );
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

function eventOf(data: string): FarmEvent {
  const event = parseShown(data) as Partial<FarmEvent> | null;
  if (typeof event?.seq !== 'number') throw new NotReached('what came is no event of a farm');
  return event as FarmEvent;
}

async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
