// Needs redis-server, root, ip(8) with network namespaces, openssl, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execa } from 'execa';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildDetail, Enrolment, FarmEvent } from '#libs/contracts';
import { startPrivateRedis, type PrivateRedis } from '#libs/queue';
import { FarmProcess, INSTALLED, requireBuilt } from '../support/farm-process.js';
import { Scenario } from '../support/farm-scenario.js';
import { TestNetwork } from '../support/test-network.js';

jest.setTimeout(240_000);

const PROGRAM = {
  coordinator: join(INSTALLED, 'bin/distrofarm-coordinator'),
  agent: join(INSTALLED, 'bin/distrofarm-agent'),
  cli: join(INSTALLED, 'bin/distrofarm'),
};

/** Holds a lock while it runs, and says so when another one holds it. */
const ALONE = 'exec 9> "$S/lock"; flock --nonblock 9 || echo "overlap end" >> "$S/truth"';

describe('a farm of hosts with addresses of their own', () => {
  let folder: string;
  let network: TestNetwork;
  let redis: PrivateRedis;
  let coordinator: FarmProcess;
  let fingerprint: string;
  const agents: FarmProcess[] = [];

  const url = (): string => `https://${network.address(0)}:7455`;

  async function cli(...args: readonly string[]) {
    const [command = '', ...rest] = network.on(0, PROGRAM.cli, ...args);
    return await execa(command, rest, {
      reject: false,
      extendEnv: false,
      env: { PATH: process.env['PATH'], XDG_CONFIG_HOME: folder, SOURCE_DATE_EPOCH: '1700000000' },
      input: args[0] === 'login' ? await readFile(join(folder, 'data/admin-token'), 'utf8') : '',
    });
  }

  async function json<T>(...args: readonly string[]): Promise<T> {
    const { stdout, stderr, exitCode } = await cli(...args, '--json');
    if (exitCode !== 0) throw new Error(stderr);
    return JSON.parse(stdout) as T;
  }

  async function startAgent(host: number): Promise<void> {
    const { token, caFingerprint } = await json<Enrolment>('agents', 'enrol', '--name', `host${host}`);
    expect(caFingerprint).toBe(fingerprint);
    const env = { DISTROFARM_AGENT_STATE: join(folder, `agent${host}`), DISTROFARM_LOG_LEVEL: 'warn' };
    const enrol = (print: string): FarmProcess => {
      const args = ['enrol', '--coordinator', url(), '--token', token, '--ca-fingerprint', print];
      const enrolment = new FarmProcess('enrolment', network.on(host, PROGRAM.agent, ...args), env);
      enrolment.start();
      return enrolment;
    };
    const other = enrol(`sha256:${'0'.repeat(64)}`);
    expect(await other.ended()).not.toBe(0);
    expect(other.output).toContain(fingerprint);
    const right = enrol(fingerprint);
    expect([await right.ended(), right.output]).toEqual([0, expect.any(String)]);
    const agent = new FarmProcess(`host${host}`, network.on(host, PROGRAM.agent, 'run'), env);
    agent.start();
    agents.push(agent);
  }

  beforeAll(async () => {
    requireBuilt();
    folder = await mkdtemp(join(tmpdir(), 'farm-network-'));
    network = await TestNetwork.open(2);
    redis = await startPrivateRedis(join(folder, 'redis'));
    coordinator = new FarmProcess('coordinator', network.on(0, process.execPath, PROGRAM.coordinator), {
      DISTROFARM_LISTEN: `${network.address(0)}:7455`,
      DISTROFARM_DATA: join(folder, 'data'),
      DISTROFARM_REDIS: `unix:${join(folder, 'redis/redis.sock')}`,
      DISTROFARM_LEASE_SECONDS: '4',
      DISTROFARM_LOG_LEVEL: 'info',
    });
    coordinator.start();
    while (!coordinator.output.includes('the coordinator is up')) {
      if (!coordinator.isRunning) throw new Error(coordinator.output);
      await sleep(50);
    }
    const pem = await readFile(join(folder, 'data/tls/farm-ca.pem'));
    const der = await execa('openssl', ['x509', '-outform', 'DER'], { input: pem, encoding: 'buffer' });
    fingerprint = `sha256:${createHash('sha256').update(der.stdout).digest('hex')}`;
  });

  afterAll(async () => {
    await Promise.all([...agents, coordinator].map((child) => child.kill9()));
    await redis.stop();
    await network.close();
    await rm(folder, { recursive: true });
  });

  it('is logged in to and enrolled at by the fingerprint of its own CA, and by nothing else', async () => {
    expect(await cli('login', url(), '--token-stdin')).toMatchObject({ exitCode: 3 });
    const wrong = await cli('login', url(), '--token-stdin', '--ca-fingerprint', `sha256:${'0'.repeat(64)}`);
    expect(wrong.exitCode).not.toBe(0);
    expect(wrong.stderr).toContain(fingerprint);
    expect(await cli('login', url(), '--token-stdin', '--ca-fingerprint', fingerprint)).toMatchObject({
      exitCode: 0,
    });
    for (const host of [1, 2]) await startAgent(host);
    while (
      (await json<{ agents: { state: string }[] }>('agents', 'list')).agents.some(
        ({ state }) => state !== 'idle',
      )
    )
      await sleep(100);
  });

  it('gives a job of a host that was cut off to another, after the first has stopped it by itself', async () => {
    const scenario = new Scenario(join(folder, 'scenario'), [
      { name: 'a' },
      { name: 'b', body: `${ALONE}; [ -e "$S/again" ] || { touch "$S/again"; sleep 600; }` },
    ]);
    const { stdout: id } = await cli('submit', await scenario.write());
    const running = async (): Promise<BuildDetail> => await json<BuildDetail>('show', id);
    while (!(await scenario.began()).includes('b')) await sleep(50);
    const first = (await running()).jobs[0]!.attempts[0]!.agentName;
    const host = Number(first.slice(-1));
    await network.cut(host);
    expect(await cli('watch', id)).toMatchObject({ exitCode: 0 });
    const [job] = (await running()).jobs;
    expect(job!.attempts.map(({ agentName, end }) => [agentName, end?.kind])).toEqual([
      [first, 'infrastructure'],
      [`host${3 - host}`, 'succeeded'],
    ]);
    expect(job!.retries).toBe(1);
    expect(await scenario.truth()).not.toContain('overlap end');
    await network.mend(host);
    // Back, it is told that what it had is another's, and takes work again.
    const isBack = async (): Promise<boolean> =>
      (await json<{ agents: { name: string; state: string }[] }>('agents', 'list')).agents.some(
        ({ name, state }) => name === first && state === 'idle',
      );
    while (!(await isBack())) await sleep(100);
    const { stdout } = await cli('events', '--json');
    const events = stdout.split('\n').map((line) => JSON.parse(line) as FarmEvent);
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['agent-lost', 'job-retried']));
    expect((await running()).state).toBe('succeeded');
  });
});
