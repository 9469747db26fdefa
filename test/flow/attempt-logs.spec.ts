import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '#libs/contracts';
import { DirectoryLogStore } from '#libs/artifacts';
import type { Wakes } from '#libs/queue';
import {
  claimAttempt,
  findAttempt,
  hashSecret,
  insertAttempt,
  migrate,
  openDatabase,
  type FarmDatabase,
} from '#libs/store';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { AttemptLogs } from '../../apps/coordinator/src/gateway/attempt-logs.js';
import type { AttemptClaim } from '../../apps/coordinator/src/attempts/own-attempt.js';
import { Clock, Store } from '../../apps/coordinator/src/store.js';
import { aBuild, aJob, anAgent } from '../support/store-rows.js';

const WAKES = { publish: () => Promise.resolve() } as unknown as Wakes;

describe('the log of an attempt', () => {
  let folder: string;
  let database: FarmDatabase;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'attempt-logs-'));
    database = await openDatabase({ kind: 'sqlite', path: join(folder, 'farm.db') });
    await migrate(database);
  });
  afterEach(async () => {
    await database.close();
    await rm(folder, { recursive: true });
  });

  async function anAttempt(): Promise<AttemptClaim> {
    const { db } = database;
    const { id: agent } = await anAgent(db, 'mill');
    const build = await aBuild(db, 'running');
    const job = await aJob(db, build);
    const [id, token] = [newId('t'), 'secret'];
    const lease = { now: 1, leaseUntil: 2 };
    await insertAttempt(db, { id, job, build, number: 1, epoch: 1, agent, lineage: 'l', ...lease });
    await claimAttempt(db, { id, epoch: 1, agent, tokenHash: hashSecret(token), ...lease });
    return { agent, attempt: id, epoch: 1, token };
  }

  it('is as long on record as it is, when the record could not be written at first', async () => {
    const claim = await anAttempt();
    const store = new Store(database);
    const logs = new AttemptLogs(
      store,
      await DirectoryLogStore.open(join(folder, 'logs')),
      WAKES,
      new Clock(),
    );
    const noted = async (): Promise<number | undefined> =>
      (await findAttempt(database.db, claim.attempt))?.log_bytes;
    const text = 'one line\n';
    // Reading goes on; writing fails, as when the disk is full.
    await database.db.schema.alterTable('log_chunks').renameTo('away').execute();
    // toThrow does not know the driver's errors as such when another test file of this process has loaded the driver before.
    await expect(logs.append(claim, 0, Readable.from([Buffer.from(text)]))).rejects.toMatchObject({
      message: expect.stringContaining('log_chunks'),
    });
    expect(await noted()).toBe(0);
    await database.db.schema.alterTable('away').renameTo('log_chunks').execute();
    // The agent sends it again, or asks how much is there.
    expect(await logs.append(claim, text.length, Readable.from([]))).toBe(text.length);
    expect(await noted()).toBe(text.length);
  });
});
