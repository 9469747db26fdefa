// Needs redis-server, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FarmProcess, INSTALLED, requireBuilt } from '../support/farm-process.js';

jest.setTimeout(300_000);

const EXIT_CONFIG = 78;

describe('a coordinator that cannot run as it is told to', () => {
  let folder: string;
  let redis: ChildProcess | null = null;
  beforeEach(async () => {
    requireBuilt();
    folder = await mkdtemp(join(tmpdir(), 'test-refused-'));
  });
  afterEach(async () => {
    if (redis !== null) {
      const ended = once(redis, 'exit');
      redis.kill('SIGKILL');
      await ended;
      redis = null;
    }
    await rm(folder, { recursive: true, force: true });
  });

  async function startRedis(...settings: readonly string[]): Promise<void> {
    const socket = join(folder, 'redis.sock');
    const args = ['--port', '0', '--unixsocket', socket, '--dir', folder, ...settings];
    redis = spawn('setpriv', ['--pdeathsig=KILL', '--', 'redis-server', ...args], { stdio: 'ignore' });
    while (!existsSync(socket)) await sleep(20);
  }

  async function refusal(env: Readonly<Record<string, string>>): Promise<string> {
    const program = join(INSTALLED, 'bin/distrofarm-coordinator');
    const coordinator = new FarmProcess('coordinator', [process.execPath, program], {
      DISTROFARM_LISTEN: `unix:${join(folder, 'coordinator.sock')}`,
      DISTROFARM_DATA: join(folder, 'data'),
      DISTROFARM_REDIS: `unix:${join(folder, 'redis.sock')}`,
      DISTROFARM_LOG_LEVEL: 'error',
      ...env,
    });
    coordinator.start();
    expect(await coordinator.ended()).toBe(EXIT_CONFIG);
    return coordinator.output;
  }

  it('names each setting that is not known or not understood, all at once', async () => {
    const text = await refusal({
      DISTROFARM_X: '1',
      DISTROFARM_LISTEN: 'nowhere',
      DISTROFARM_DATABASE: 'oracle',
    });
    expect(text).toContain('DISTROFARM_X: no such setting');
    expect(await refusal({ DISTROFARM_LISTEN: 'nowhere', DISTROFARM_DATABASE: 'oracle' })).toMatch(
      /DISTROFARM_LISTEN: found "nowhere".*\n.*DISTROFARM_DATABASE: expected/,
    );
    expect(existsSync(join(folder, 'data'))).toBe(false);
  });

  it('refuses a Redis that may drop what it was given', async () => {
    await startRedis('--appendonly', 'yes', '--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru');
    expect(await refusal({})).toMatch(/allkeys-lru[\s\S]*noeviction/);
  });

  it('refuses a Redis that keeps nothing on disk', async () => {
    await startRedis('--appendonly', 'no', '--save', '');
    expect(await refusal({})).toMatch(/DISTROFARM_REDIS_THROW_AWAY|appendonly/);
  });

  it('says that Redis is not there', async () => {
    const text = await refusal({});
    expect(text).toContain('does not answer. Start it, or name another one with DISTROFARM_REDIS.');
  });

  it('says that the database is not there', async () => {
    await startRedis('--appendonly', 'yes');
    expect(await refusal({ DISTROFARM_DATABASE: `postgres://nobody@/none?host=${folder}` })).toMatch(
      /PostgreSQL at nobody@.* cannot be used/,
    );
  });
});
