// Needs root, Linux namespaces, redis-server, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Scenario } from '../support/farm-scenario.js';

jest.setTimeout(300_000);

const INSTALLED = process.env['DISTROFARM_BUILT'] ?? resolve(import.meta.dirname, '../..');
const PROGRAM = join(INSTALLED, 'bin/distrofarm');
const run = promisify(execFile);

let home: string;
let data: string;
let port: number;
let farm: Up | null = null;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'up-'));
  data = join(home, 'data');
  port = await freePort();
});
afterEach(async () => {
  await farm?.end('SIGKILL');
  farm = null;
  await until(async () => (await processesNaming(home)).length === 0);
  await rm(home, { recursive: true });
});

/** What nobody else listens on at the moment. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return free;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}

/** No SUDO_UID: its profile would be written as well. */
const environment = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: home,
  XDG_CONFIG_HOME: join(home, 'config'),
  DISTROFARM_AGENT_CACHE: join(home, 'cache'),
});

/** `distrofarm up` as a process of its own. */
class Up {
  said = '';
  readonly #child: ChildProcess;

  constructor(...more: readonly string[]) {
    const args = [
      'up',
      '--data',
      data,
      '--listen',
      `127.0.0.1:${port}`,
      '--store',
      join(home, 'areas'),
      ...more,
    ];
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, PROGRAM, ...args], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (bytes: Buffer) => (this.said += bytes.toString()));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async works(): Promise<this> {
    const ended = once(this.#child, 'exit').then(() => true);
    const says = until(() => this.said.includes('The farm is up')).then(() => false);
    if (await Promise.race([ended, says])) throw new Error(`it ended: ${this.said}`);
    return this;
  }

  async ended(): Promise<number | string | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'close');
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  async end(signal: NodeJS.Signals): Promise<number | string | null> {
    this.#child.kill(signal);
    return await this.ended();
  }
}

async function distrofarm(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [PROGRAM, ...args], { env: environment(), cwd: home });
  return stdout;
}

interface Found {
  readonly pid: number;
  readonly argv: string;
}

/** Processes that have the text in their arguments or in their environment. */
async function processesNaming(text: string): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
    const given = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (argv.includes(text) || given.includes(`=${text}`)) found.push({ pid: Number(pid), argv });
  }
  return found;
}

async function mountsBelow(folder: string): Promise<readonly string[]> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  return mounts.split('\n').filter((line) => line.includes(` ${folder}`));
}

describe('distrofarm up', () => {
  it('builds what is submitted with the profile it wrote, stops without a trace, and knows the build later', async () => {
    const scenario = new Scenario(home, [{ name: 'a' }, { name: 'b', body: 'echo made > "$5/image.iso"' }]);
    const manifest = await scenario.write();
    farm = await new Up('--name', 'here').works();
    expect(farm.said).toContain(`http://127.0.0.1:${port}`);
    expect(farm.said).toMatch(/submit \S*examples\/debian-live\.xml --watch/);
    await distrofarm('submit', manifest, '--watch');
    await distrofarm('artifacts', 'download', 'latest', '--output', join(home, 'down'));
    expect(await readFile(join(home, 'down/image.iso'), 'utf8')).toBe('made\n');

    expect(await farm.end('SIGINT')).toBe(0);
    expect(farm.said).toMatch(/agent +stopped[^]*coordinator +stopped[^]*farm +stopped/);
    expect(await processesNaming(home)).toEqual([]);
    expect(existsSync(join(data, 'redis/redis.sock'))).toBe(false);
    expect(await mountsBelow(home)).toEqual([]);

    farm = await new Up().works();
    expect(farm.said).not.toContain('enrolled');
    expect(JSON.parse(await distrofarm('list', '--json'))).toMatchObject({
      builds: [{ state: 'succeeded' }],
    });
    expect(await distrofarm('agents', 'list')).toMatch(/^here +idle/m);
  });

  it('goes on with a build from its last checkpoint after it was stopped, and after it was killed', async () => {
    const scenario = new Scenario(home, [
      { name: 'a' },
      { name: 'b', body: 'hold first' },
      { name: 'c', body: 'hold second' },
    ]);
    const manifest = await scenario.write();
    farm = await new Up().works();
    await distrofarm('submit', manifest);
    await scenario.reached('first');
    expect(await farm.end('SIGTERM')).toBe(0);
    await scenario.open('first');

    farm = await new Up().works();
    await scenario.reached('second');
    expect(await scenario.began()).toEqual(['a', 'b', 'b', 'c']);
    expect(await farm.end('SIGKILL')).toBe('SIGKILL');
    await until(async () => (await processesNaming(home)).length === 0);
    await scenario.open('second');

    farm = await new Up().works();
    await distrofarm('watch', 'latest');
    expect(await scenario.began()).toEqual(['a', 'b', 'b', 'c', 'c']);
  });

  it('starts again what ends, and says so', async () => {
    farm = await new Up().works();
    const part = async (name: string): Promise<number> => {
      const found = (await processesNaming(home)).find(({ argv }) => argv.includes(name));
      return found?.pid ?? 0;
    };
    const parts = [`bin/distrofarm-coordinator`, 'bin/distrofarm-agent', 'redis-server'];
    for (const name of parts) process.kill(await part(name), 'SIGKILL');
    await until(() =>
      ['coordinator', 'agent', 'redis'].every((name) => new RegExp(`${name} +up again`).test(farm!.said)),
    );
    expect(farm.said).toMatch(/coordinator was ended by SIGKILL; starting it again in 1\.0s/);
    expect(await farm.end('SIGINT')).toBe(0);
  });

  it('kills everything at a second signal', async () => {
    const scenario = new Scenario(home, [{ name: 'a', body: 'trap "" TERM; hold never' }]);
    const manifest = await scenario.write();
    farm = await new Up().works();
    await distrofarm('submit', manifest);
    await scenario.reached('never');
    process.kill(farm.pid, 'SIGINT');
    await until(() => farm!.said.includes('stopping'));
    expect(await farm.end('SIGINT')).toBe(130);
    await until(async () => (await processesNaming(home)).length === 0);
  });

  it('refuses a port in use, a folder in use and a store that is none, with what to do', async () => {
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    farm = new Up();
    expect(await farm.ended()).toBe(6);
    expect(farm.said).toMatch(/something listens on 127\.0\.0\.1:\d+ already\n[^]*distrofarm up --listen/);
    expect(await processesNaming(home)).toEqual([]);
    other.close();

    farm = await new Up().works();
    const second = new Up();
    expect(await second.ended()).toBe(6);
    expect(second.said).toMatch(/another "distrofarm up" uses .*: process \d+/);

    const third = new Up('--store', 'pool');
    expect(await third.ended()).toBe(2);
    expect(third.said).toContain('neither a dataset (pool/name) nor a folder');
  });

  it('speaks TLS beyond this machine, and its own parts trust it', async () => {
    farm = await new Up('--listen', `0.0.0.0:${port}`).works();
    expect(farm.said).toContain(`https://127.0.0.1:${port}`);
    expect(await distrofarm('status')).toContain('ok');
  });
});
