import { newId, type ReportEvent } from '#libs/contracts';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendFile, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { AttemptSpool } from './spool.js';

let root: string;
const key = { attempt: newId('t'), epoch: 3, token: 'dft_secret' };
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'spool-'));
});
afterEach(async () => rm(root, { recursive: true }));

const started = (step: number): ReportEvent => ({ type: 'step-started', step });
const left = async (): Promise<readonly AttemptSpool[]> =>
  await AttemptSpool.leftovers(root, (folder) => damaged.push(folder));
const damaged: string[] = [];

describe('AttemptSpool', () => {
  it('numbers reports, and keeps those that were not acknowledged', async () => {
    const spool = await AttemptSpool.create(root, key);
    for (const step of [0, 1, 2]) expect(spool.add(started(step), 5)).toBe(true);
    spool.acknowledge(2);
    expect(spool.pending(10)).toEqual([{ seq: 3, at: 5, event: started(2) }]);
    await spool.remove();
    expect(await left()).toEqual([]);
  });

  it('is there for the next process, whole, with its secret for root only', async () => {
    const spool = await AttemptSpool.create(root, key);
    spool.add(started(0), 1);
    await writeFile(spool.logPath, 'a line\n');
    await spool.sync();
    expect((await stat(join(root, key.attempt, 'attempt.json'))).mode & 0o777).toBe(0o600);
    const [again] = await left();
    expect(again?.key).toEqual(key);
    expect(again?.pending(10).map(({ seq }) => seq)).toEqual([1]);
    expect(await text(again!.readLog(2, 4))).toBe('line');
  });

  it('ends where a power failure cut it, and goes on from there', async () => {
    const spool = await AttemptSpool.create(root, key);
    spool.add(started(0), 1);
    await appendFile(join(root, key.attempt, 'reports'), '{"seq":2,"at":1,"ev');
    const [again] = await left();
    again?.add(started(1), 2);
    const [third] = await left();
    expect(third?.pending(10).map(({ seq, event }) => [seq, event])).toEqual([
      [1, started(0)],
      [2, started(1)],
    ]);
  });

  it('names and removes what cannot be read', async () => {
    await mkdir(join(root, 'x'));
    expect(await left()).toEqual([]);
    expect(damaged).toEqual([join(root, 'x')]);
  });
});
