import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AttemptLog } from './attempt-log.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attempt-log-'));
});
afterEach(async () => rm(folder, { recursive: true }));

const TIME = '2026-11-23T12:00:00.000Z';
const open = (maxBytes: number): AttemptLog =>
  new AttemptLog(
    join(folder, 'log'),
    maxBytes,
    () => {},
    () => new Date(TIME),
  );
const text = async (): Promise<string> => await readFile(join(folder, 'log'), 'utf8');

describe('AttemptLog', () => {
  it('has a record a line, and knows its length', async () => {
    const log = open(10_000);
    log.note('a', '==== a');
    log.output('a', 'out', Buffer.from('one\ntw'));
    log.endOfStep('a');
    log.close();
    expect(await text()).toBe(`${TIME} a dc | ==== a\n${TIME} a out| one\n${TIME} a out> tw\n`);
    expect(log.bytes).toBe((await text()).length);
  });

  it('says how much did not fit, at the place', async () => {
    const log = open(400);
    log.note('a', 'x');
    log.output('a', 'out', Buffer.from(`${'y'.repeat(500)}\n`));
    log.note('a', 'z');
    log.close();
    const lost = `${TIME} a out| ${'y'.repeat(500)}\n`.length;
    expect(await text()).toBe(
      `${TIME} a dc | x\n${TIME} - dc | ${lost} bytes lost here: the log of an attempt is limited to 400 bytes\n${TIME} a dc | z\n`,
    );
  });
});
