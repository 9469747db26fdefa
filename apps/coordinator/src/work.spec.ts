import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type EventType } from '#libs/contracts';
import type { Wakes } from '#libs/queue';
import { migrate, openDatabase, type FarmDatabase } from '#libs/store';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Clock, Store } from './store.js';
import { EVENTS_CHANNEL, PLACES_CHANNEL, SCHEDULING_CHANNEL, Work } from './work.js';

let folder: string;
let database: FarmDatabase;
let work: Work;
let published: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrofarm-work-'));
  database = await openDatabase({ kind: 'sqlite', path: join(folder, 'farm.db'), driver: 'auto' });
  await migrate(database);
  published = [];
  const publish = (channel: string): Promise<boolean> => Promise.resolve(published.push(channel) > 0);
  work = new Work(new Store(database), { publish } as unknown as Wakes, new Clock());
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

describe('a change that is on record', () => {
  it.each<[EventType, readonly string[]]>([
    ['step-ended', []],
    ['job-waiting', [SCHEDULING_CHANNEL]],
    ['job-assigned', [PLACES_CHANNEL]],
    ['job-retried', [SCHEDULING_CHANNEL, PLACES_CHANNEL]],
    ['agent-connected', [SCHEDULING_CHANNEL, PLACES_CHANNEL]],
    ['agent-lost', [PLACES_CHANNEL]],
    ['agent-drained', [PLACES_CHANNEL]],
    ['agent-quarantined', [PLACES_CHANNEL]],
  ])('wakes for %s whoever it may concern', async (type, channels) => {
    await work.change((_, changes) => {
      changes.event(type, { agent: newId('a') });
      return Promise.resolve();
    });
    while (published.length < channels.length + 1) await new Promise((resolve) => setImmediate(resolve));
    expect(published).toEqual([EVENTS_CHANNEL, ...channels]);
  });

  it('that failed wakes nobody', async () => {
    const failed = work.change((_, changes) => {
      changes.event('agent-lost', { agent: newId('a') });
      return Promise.reject(new Error('no'));
    });
    await expect(failed).rejects.toThrow('no');
    await new Promise((resolve) => setImmediate(resolve));
    expect(published).toEqual([]);
  });
});
