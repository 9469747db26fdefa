// Needs root (a file system of its own to fill up).
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execa } from 'execa';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuildLog } from './build-log.js';

const NOON = new Date('2026-11-23T12:00:00Z');
const TIME = '2026-11-23T12:00:00.000Z';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'build-log-'));
});
afterEach(async () => rm(folder, { recursive: true }));

const open = (): BuildLog => BuildLog.open(folder, () => NOON);
const read = async (path: string): Promise<string> => await readFile(path, 'utf8');

describe('BuildLog', () => {
  it('keeps stdout to the detail log, and stderr and our own lines in both', async () => {
    const log = open();
    log.note('im-pop', '==== im-pop: Populate');
    log.output('im-pop', 'out', Buffer.from('quiet\n'));
    log.output('im-pop', 'err', Buffer.from('loud\n'));
    log.close();
    expect(await read(log.simplePath)).toBe(
      `${TIME} im-pop dc | ==== im-pop: Populate\n${TIME} im-pop err| loud\n`,
    );
    expect(await read(log.detailPath)).toBe(
      `${TIME} im-pop dc | ==== im-pop: Populate\n${TIME} im-pop out| quiet\n${TIME} im-pop err| loud\n`,
    );
  });

  it('never mixes a half line of one stream into the other', async () => {
    const log = open();
    log.output('s', 'out', Buffer.from('half '));
    log.output('s', 'err', Buffer.from('whole\n'));
    log.output('s', 'out', Buffer.from('line\nrest'));
    log.endOfStep('s');
    log.close();
    expect((await read(log.detailPath)).trimEnd().split('\n')).toEqual([
      `${TIME} s err| whole`,
      `${TIME} s out| half line`,
      `${TIME} s out> rest`,
    ]);
  });

  it('returns what the console should show', () => {
    const log = open();
    expect(log.output('s', 'out', Buffer.from('a\n'))).toEqual([]);
    expect(log.output('s', 'err', Buffer.from('b\nc'))).toMatchObject([{ complete: true }]);
    expect(log.endOfStep('s')).toMatchObject([{ complete: false }]);
    log.close();
  });

  it('keeps bytes that are no text', async () => {
    const log = open();
    log.output('s', 'out', Buffer.from([0xe9, 0x00, 0xff, 0x0a]));
    log.close();
    const record = await readFile(log.detailPath);
    expect([...record.subarray(record.indexOf('| ') + 2)]).toEqual([0xe9, 0x00, 0xff, 0x0a]);
  });

  it('names two builds of one second apart, readable by root only', async () => {
    const logs = [open(), open()];
    expect(new Set(logs.map(({ detailPath }) => detailPath)).size).toBe(2);
    for (const log of logs) {
      expect((await stat(log.detailPath)).mode & 0o777).toBe(0o600);
      log.close();
    }
  });

  it('goes on when the disk is full, and says how much was lost', async () => {
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', folder]);
    try {
      const log = open();
      const filler = join(folder, 'filler');
      await writeFile(filler, Buffer.alloc(60_000));
      log.output('s', 'out', Buffer.from(`${'x'.repeat(30_000)}\n`));
      await rm(filler);
      log.output('s', 'out', Buffer.from('after\n'));
      log.close();
      expect(await read(log.detailPath)).toMatch(
        /dc \| \d+ bytes lost here: ENOSPC: no space left on device, write\n.* out\| after\n$/,
      );
    } finally {
      await execa('umount', [folder]);
    }
  });

  it('starts on a full disk, and writes as soon as there is room', async () => {
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k,nr_inodes=3', 'none', folder]);
    try {
      for (const name of ['a', 'b']) await writeFile(join(folder, name), '');
      const log = open();
      log.note('s', 'lost');
      for (const name of ['a', 'b']) await rm(join(folder, name));
      log.note('s', 'kept');
      log.close();
      expect(await read(log.detailPath)).toMatch(/dc \| 37 bytes lost here: ENOSPC.*\n.* dc \| kept\n$/);
      expect(await read(log.simplePath)).toMatch(/^\S+ s dc \| kept\n$/);
    } finally {
      await execa('umount', [folder]);
    }
  });
});
