import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { AgentId } from '#libs/contracts';
import type { AgentInbox } from '#libs/queue';
import { migrate, openDatabase, revokeAgent, type FarmDatabase } from '#libs/store';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ForgetInboxes } from '../../apps/coordinator/src/loops/forget-inboxes.js';
import { Clock, Store } from '../../apps/coordinator/src/store.js';
import { anAgent } from '../support/store-rows.js';

let folder: string;
let database: FarmDatabase;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forget-inboxes-'));
  database = await openDatabase({ kind: 'sqlite', path: join(folder, 'farm.db') });
  await migrate(database);
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

it('forgets the messages of revoked agents, again for as long as Redis does not answer, and then no more', async () => {
  const { db } = database;
  const forgotten: AgentId[] = [];
  let answers = false;
  const forget = (agent: AgentId): Promise<boolean> => {
    forgotten.push(agent);
    return Promise.resolve(answers);
  };
  let now = 1_000_000;
  const clock = new Clock();
  clock.now = () => now;
  const inboxes = new ForgetInboxes(new Store(database), { forget } as unknown as AgentInbox, clock);
  const [gone, later] = [await anAgent(db, 'mill'), await anAgent(db, 'tank')];
  await anAgent(db, 'stays');
  await revokeAgent(db, gone.id, now);
  await inboxes.pass();
  answers = true;
  await inboxes.pass();
  expect(forgotten).toEqual([gone.id, gone.id]);
  now += 120_000;
  await inboxes.pass();
  forgotten.splice(0);
  await revokeAgent(db, later.id, now);
  await inboxes.pass();
  expect(forgotten).toEqual([later.id]);
});
