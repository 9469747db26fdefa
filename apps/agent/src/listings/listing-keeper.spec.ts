import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type ListingAsk, type ListingFailure, type ListingId } from '#libs/contracts';
import { SnapshotStoreError } from '#libs/engine';
import { Unreachable } from '#libs/http-client';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { ListingKeeper, type ListingKeeperOptions } from './listing-keeper.js';

type Desk = ListingKeeperOptions['desk'];

describe('ListingKeeper', () => {
  let folder: string;
  let stop: AbortController;
  let ended: Promise<void>;
  let asks: ListingAsk[];
  const answers = new Map<ListingId, string | ListingFailure>();
  /** Of the next answers, so many do not arrive. */
  let lost: number;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'listing-keeper-'));
    await mkdir(join(folder, 'tree'));
    await writeFile(join(folder, 'tree/a'), 'x');
    [stop, ended, asks, lost] = [new AbortController(), Promise.resolve(), [], 0];
    answers.clear();
  });
  afterEach(async () => {
    stop.abort();
    await ended;
    await rm(folder, { recursive: true });
  });

  const anAsk = (): ListingAsk => ({
    ask: newId('l'),
    area: 'b-0123456789.v',
    checkpoint: { id: '7', workspace: 'build_data', label: '.step_x' },
  });

  function begin(read?: Desk['read']): ListingKeeper {
    const reading: Desk['read'] = async (_, work) =>
      await work(join(folder, 'tree'), new AbortController().signal);
    const keeper = new ListingKeeper({
      stateFolder: folder,
      log: pino({ level: 'silent' }),
      desk: { read: read ?? reading },
      link: {
        takeListing: () => Promise.resolve(asks.shift() ?? null),
        answerListing: async (ask, announced, content) => {
          const sha256 = await digestOf(content);
          expect(announced.sha256).toBe(sha256);
          lost -= 1;
          if (lost >= 0) throw new Unreachable('the line is down', null);
          answers.set(ask, sha256);
        },
        failListing: (ask, failure) => {
          answers.set(ask, failure);
          return Promise.resolve();
        },
      },
    });
    ended = keeper.run(stop.signal);
    return keeper;
  }

  async function answerTo({ ask }: ListingAsk): Promise<string | ListingFailure> {
    for (;;) {
      const answer = answers.get(ask);
      if (answer !== undefined) return answer;
      await sleep(5);
    }
  }

  it('lists one after the other, sends again what did not arrive, and leaves nothing', async () => {
    asks = [anAsk(), anAsk()];
    const all = [...asks];
    lost = 1;
    const keeper = begin();
    const said = await Promise.all(all.map(answerTo));
    expect(said).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), said[0]]);
    while (existsSync(join(folder, 'listings'))) await sleep(5);
    // A hint is enough.
    const later = anAsk();
    asks = [later];
    keeper.wake();
    expect(await answerTo(later)).toBe(said[0]);
  });

  it.each<[string, Error, ListingFailure]>([
    [
      'what is not here is gone',
      new SnapshotStoreError('NOT_FOUND', 'the area is not here'),
      { kind: 'gone', reason: 'the area is not here' },
    ],
    ['what cannot be read is its own fault', new Error('EIO'), { kind: 'unable', reason: 'EIO' }],
  ])('says that %s', async (_, error, failure) => {
    const ask = anAsk();
    asks = [ask];
    begin(() => Promise.reject(error));
    expect(await answerTo(ask)).toEqual(failure);
  });

  it('says nothing when it leaves in the middle', async () => {
    asks = [anAsk()];
    let begun: () => void = () => undefined;
    const reading = new Promise<void>((resolve) => (begun = resolve));
    begin(async () => {
      begun();
      return await new Promise((_, reject) =>
        stop.signal.addEventListener('abort', () => reject(new Error('ended'))),
      );
    });
    await reading;
    stop.abort();
    await ended;
    expect(answers.size).toBe(0);
  });
});

async function digestOf(content: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of content) hash.update(piece as Buffer);
  return hash.digest('hex');
}
