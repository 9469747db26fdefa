import type { FarmEvent } from '#libs/contracts';
import { retryDelays, ServerEventParser } from '#libs/event-stream';
import { isPassing, NotReached } from '../session/api-failure.js';
import type { FarmApi } from '../session/farm-api.js';
import { showUnseen } from '../session/visible-text.js';

/** The coordinator sends at least a comment every two seconds. */
const SILENCE_MS = 12_000;
const DELAYS = { firstMs: 400, maxMs: 5_000 };

/** Told what comes over the farm's event stream. */
export interface FarmListener {
  /** Events come in from now on. What changed before is not among them the first time. */
  opened(): void;
  event(event: FarmEvent): void;
  /** Nothing comes in. It is tried again, until it works or the farm refuses. */
  lost(why: string): void;
}

/**
 * Follows the farm until the signal: over any number of connections, each going on behind the last event that came. Returns when the farm refuses,
 * which whoever made the API is told.
 */
export async function followFarm(
  api: Pick<FarmApi, 'open'>,
  listener: FarmListener,
  signal: AbortSignal,
  pause = pauseFor,
): Promise<void> {
  let position = 'latest';
  let delays = retryDelays(DELAYS);
  while (!signal.aborted) {
    const before = position;
    try {
      for await (const event of eventsBehind(api, position, listener, signal)) {
        position = String(event.seq);
        listener.event(event);
      }
    } catch (error) {
      if (!isPassing(error)) return;
      listener.lost((error as Error).message);
    }
    if (position !== before) delays = retryDelays(DELAYS);
    await pause(delays.next().value, signal);
  }
}

async function* eventsBehind(
  api: Pick<FarmApi, 'open'>,
  position: string,
  listener: FarmListener,
  signal: AbortSignal,
): AsyncGenerator<FarmEvent> {
  const silent = new AbortController();
  const both = AbortSignal.any([signal, silent.signal]);
  const headers = { Accept: 'text/event-stream' };
  const response = await api.open(`/events?after=${position}`, { signal: both, headers });
  if (response.body === null) return;
  listener.opened();
  const parser = new ServerEventParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const timer = setTimeout(() => silent.abort(), SILENCE_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      for (const { data } of parser.push(value)) yield JSON.parse(showUnseen(data)) as FarmEvent;
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw new NotReached(
      silent.signal.aborted ? `nothing came for ${SILENCE_MS / 1000} s` : 'the connection broke off',
      { cause: error },
    );
  } finally {
    void reader.cancel().catch(() => undefined);
  }
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
