import { newId, type AgentSettings } from '#libs/contracts';
import { ApiError } from '#libs/http-client';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { Delivery } from './delivery.js';
import { AttemptSpool } from './spool.js';

const STALE = new ApiError('STALE_EPOCH', 409, 'over', null, [], null);
const UNKNOWN = new ApiError('NOT_AUTHENTICATED', 401, 'who are you?', null, [], null);
const SETTINGS = { logFlushMs: 1, logChunkBytes: 1024 } as AgentSettings;

/** The coordinator: what it has of the log, and what it refuses. */
let came: string;
let refusal: { reports: ApiError | null; log: ApiError | null };
let refused: Error[];
let root: string;
let spool: AttemptSpool;
let stop: AbortController;
beforeEach(async () => {
  [came, refused] = ['', []];
  refusal = { reports: null, log: null };
  stop = new AbortController();
  root = await mkdtemp(join(tmpdir(), 'delivery-'));
  spool = await AttemptSpool.create(root, { attempt: newId('t'), epoch: 1, token: 'dft_secret' });
});
afterEach(async () => {
  stop.abort();
  await spool.remove();
  await rm(root, { recursive: true });
});

const link: Pick<CoordinatorLink, 'reports' | 'log'> = {
  reports: (_, reports) =>
    refusal.reports === null ? Promise.resolve(reports.at(-1)!.seq) : Promise.reject(refusal.reports),
  log: async (_, offset, bytes) => {
    if (refusal.log !== null) throw refusal.log;
    if (bytes !== null && offset === came.length) came += await text(bytes.content);
    return came.length;
  },
};

function deliveryOf(): Delivery {
  const log = pino({ level: 'silent' });
  return new Delivery(spool, { link: link as CoordinatorLink, settings: () => SETTINGS, log });
}

async function write(delivery: Delivery, line: string): Promise<void> {
  await appendFile(spool.logPath, line);
  delivery.nudgeLog();
}

async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((resolve) => setImmediate(resolve));
}

describe('the delivery of an attempt', () => {
  it('ends when reports and log are there', async () => {
    const delivery = deliveryOf();
    const ended = delivery.run(stop.signal, (error) => refused.push(error));
    spool.add({ type: 'step-started', step: 0 }, 1);
    delivery.nudge();
    await write(delivery, 'a line\n');
    delivery.complete();
    expect(await ended).toEqual({ kind: 'delivered' });
    expect([came, refused, spool.pending(1)]).toEqual(['a line\n', [], []]);
  });

  it('that was lost says so at once, and goes on with the log to its end', async () => {
    const delivery = deliveryOf();
    const ended = delivery.run(stop.signal, (error) => refused.push(error));
    await write(delivery, 'before\n');
    await until(() => came === 'before\n');
    refusal.reports = STALE;
    spool.add({ type: 'step-started', step: 0 }, 1);
    delivery.nudge();
    await until(() => refused.length > 0);
    await write(delivery, 'until it noticed\n');
    delivery.complete();
    expect(await ended).toEqual({ kind: 'refused', error: STALE });
    expect([came, refused]).toEqual(['before\nuntil it noticed\n', [STALE]]);
  });

  it('of which the log is refused too ends there', async () => {
    const delivery = deliveryOf();
    refusal = { reports: STALE, log: STALE };
    const ended = delivery.run(stop.signal, (error) => refused.push(error));
    spool.add({ type: 'step-started', step: 0 }, 1);
    delivery.nudge();
    await until(() => refused.length > 0);
    await write(delivery, 'a line\n');
    expect(await ended).toEqual({ kind: 'refused', error: STALE });
    expect(refused).toEqual([STALE]);
  });

  it('by an agent that is not known any more stays in the spool', async () => {
    const delivery = deliveryOf();
    refusal.reports = UNKNOWN;
    const ended = delivery.run(stop.signal, (error) => refused.push(error));
    spool.add({ type: 'step-started', step: 0 }, 1);
    delivery.nudge();
    expect(await ended).toEqual({ kind: 'aborted' });
    expect([refused, spool.pending(1)]).toMatchObject([[], [{ seq: 1 }]]);
  });
});
