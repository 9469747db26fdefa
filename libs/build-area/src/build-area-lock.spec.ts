import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execa } from 'execa';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuildAreaLock, BuildAreaLockedError } from './build-area-lock.js';

let area: string;
beforeEach(async () => {
  area = await mkdtemp(join(tmpdir(), 'build-area-lock-'));
});
afterEach(async () => rm(area, { recursive: true }));

describe('BuildAreaLock', () => {
  it('refuses a second build, naming the holder', () => {
    const lock = BuildAreaLock.take(area, 'distro_const build a.xml', new Date('2026-11-23T12:00:00Z'));
    expect(() => BuildAreaLock.take(area, 'distro_const build b.xml')).toThrow(BuildAreaLockedError);
    expect(() => BuildAreaLock.take(area, 'x')).toThrow(
      new RegExp(`process ${process.pid} on .*"distro_const build a.xml", since 2026-11-23T12:00:00.000Z`),
    );
    lock.release();
    BuildAreaLock.take(area, 'distro_const build b.xml').release();
  });

  it('is free as soon as its holder is dead', async () => {
    const holder = execa('bash', ['-c', 'exec 9>>.distro_const.lock; flock 9; echo held; exec sleep 1000'], {
      cwd: area,
      reject: false,
    });
    await new Promise((held) => holder.stdout.once('data', held));
    expect(() => BuildAreaLock.take(area, 'x')).toThrow('it has not said who it is');
    holder.kill('SIGKILL');
    await holder;
    BuildAreaLock.take(area, 'x').release();
  });

  it('is not inherited by what the holder starts', async () => {
    const lock = BuildAreaLock.take(area, 'x');
    const child = execa('sleep', ['1000'], { reject: false });
    lock.release();
    BuildAreaLock.take(area, 'x').release();
    child.kill('SIGKILL');
    await child;
  });
});
