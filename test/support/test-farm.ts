import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AgentView,
  Artifact,
  BuildDetail,
  BuildId,
  BuildState,
  CreateToken,
  Enrolment,
  SubmitBuild,
  SubmittedBuild,
} from '#libs/contracts';
import { HttpClient, Unreachable } from '#libs/http-client';
import { keepFetchTime, migrate, openDatabase } from '#libs/store';
import { startPostgres, type PostgresServer } from '../../libs/store/src/testing-postgres.js';
import { FarmEvents } from './farm-events.js';
import { FarmProcess, INSTALLED, requireBuilt } from './farm-process.js';
import { Scenario, type ScenarioOptions, type ScenarioStep } from './farm-scenario.js';
import type { TestNetwork } from './test-network.js';

export interface FarmOptions {
  readonly database: 'sqlite' | 'postgres';
  readonly agents: number;
  readonly coordinators?: number;
  /** Default: the coordinator's own, with which no lease runs out in a test by itself. */
  readonly leaseSeconds?: number;
  /**
   * As if checkpoints had always come at once, whatever this machine does meanwhile: then they are fetched, and no quick step runs again in their place. Default: what the
   * farm measures.
   */
  readonly transfersAreQuick?: boolean;
  /** More settings of the coordinators. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with the farm's folder before anything is started. */
  readonly prepare?: (folder: string) => Promise<void>;
  /** What each is started by, instead of the installed ones. */
  readonly programs?: FarmPrograms;
  /** Coordinators are on its host 0, with TLS; agents on hosts 1, 2, … Without it everything is on this host. */
  readonly network?: TestNetwork;
}

/** Each as a command line, to which its arguments are added. */
export interface FarmPrograms {
  readonly coordinator: readonly string[];
  readonly agent: readonly string[];
}

export interface AgentPlace {
  /** Of the farm's network. Default: one more than the agents before it. */
  readonly host?: number;
}

const INSTALLED_PROGRAMS: FarmPrograms = {
  coordinator: [process.execPath, join(INSTALLED, 'bin/distrofarm-coordinator')],
  agent: [join(INSTALLED, 'bin/distrofarm-agent')],
};

/** At rest: nothing more happens to it by itself. */
const RESTS: readonly BuildState[] = ['succeeded', 'failed', 'paused', 'cancelled'];

/**
 * A whole farm on this machine: Redis, database, coordinators and agents as processes of their own, in one temporary folder. Needs root,
 * redis-server, PostgreSQL's server programs and a built dist/.
 */
export class TestFarm {
  readonly agents: FarmProcess[] = [];
  readonly coordinators: FarmProcess[] = [];
  readonly urls: string[] = [];
  #postgres: PostgresServer | null = null;
  readonly #redis: FarmProcess;
  #events: FarmEvents | null = null;
  #adminToken = '';
  #scenarios = 0;
  readonly #clients = new Map<string, HttpClient>();

  private constructor(
    readonly folder: string,
    private readonly options: FarmOptions,
  ) {
    const place = ['--dir', folder, '--port', '0', '--unixsocket', this.redisSocket];
    const keeping = ['--appendonly', 'yes', '--maxmemory-policy', 'noeviction'];
    this.#redis = new FarmProcess('Redis', ['redis-server', ...place, ...keeping], {});
  }

  static async start(options: FarmOptions): Promise<TestFarm> {
    requireBuilt();
    const farm = new TestFarm(await mkdtemp(join(tmpdir(), 'test-farm-')), options);
    try {
      await farm.#start();
      return farm;
    } catch (error) {
      const said = [...farm.coordinators, ...farm.agents].map(({ name, output }) => `${name}: ${output}`);
      await farm.stop();
      throw new Error(`the farm did not start: ${(error as Error).message}\n${said.join('\n')}`, {
        cause: error,
      });
    }
  }

  /** The first coordinator's. */
  get url(): string {
    return this.urls[0]!;
  }

  get adminToken(): string {
    return this.#adminToken;
  }

  get admin(): HttpClient {
    return this.clientFor(this.#adminToken);
  }

  get events(): FarmEvents {
    return this.#events!;
  }

  get postgres(): PostgresServer {
    return this.#postgres!;
  }

  get redis(): FarmProcess {
    return this.#redis;
  }

  get redisSocket(): string {
    return join(this.folder, 'redis.sock');
  }

  clientFor(secret: string | null, url = this.url): HttpClient {
    const key = `${secret ?? ''}@${url}`;
    const client = this.#clients.get(key) ?? new HttpClient({ url, secret, ca: this.ca });
    this.#clients.set(key, client);
    return client;
  }

  /** PEM; `null` where the farm speaks without TLS. Made by the first coordinator's first start. */
  get ca(): string | null {
    const path = join(this.folder, 'coordinator/tls/farm-ca.pem');
    return existsSync(path) ? readFileSync(path, 'utf8') : null;
  }

  /** A new user's token, and a client that uses it. */
  async token(token: Partial<CreateToken> & Pick<CreateToken, 'user' | 'role'>): Promise<string> {
    return (await this.call<{ secret: string }>('POST', '/tokens', token)).secret;
  }

  /** As the admin; again where no coordinator answers, through the next one. */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    for (let turn = 0; ; turn += 1) {
      // A connection of its own: one that was kept open may end just when it is used again.
      const url = this.urls[turn % this.urls.length]!;
      const client = new HttpClient({ url, secret: this.#adminToken, ca: this.ca });
      try {
        return (await client.json<T>(method, `/api/v1${path}`, body))!;
      } catch (error) {
        if (!(error instanceof Unreachable) || method !== 'GET') throw error;
        await sleep(50);
      } finally {
        client.close();
      }
    }
  }

  /** Another one in the folder of an earlier one, whose scripts so are the same. */
  scenarioIn(folder: string, steps: readonly ScenarioStep[], options: ScenarioOptions = {}): Scenario {
    return new Scenario(folder, steps, options);
  }

  scenario(steps: readonly ScenarioStep[], options: ScenarioOptions = {}): Scenario {
    return new Scenario(join(this.folder, `s${(this.#scenarios += 1)}`), steps, options);
  }

  async submit(scenario: Scenario, change: Partial<SubmitBuild> = {}): Promise<BuildId> {
    await mkdir(scenario.folder, { recursive: true });
    const body = { ...scenario.submission, ...change };
    return (await this.call<SubmittedBuild>('POST', '/builds', body)).build.id;
  }

  async build(id: string): Promise<BuildDetail> {
    return await this.call<BuildDetail>('GET', `/builds/${id}`);
  }

  async pause(id: string, before: string | null = null): Promise<BuildDetail> {
    return await this.call<BuildDetail>('POST', `/builds/${id}/pause`, { before });
  }

  async resume(id: string, from: string | null = null): Promise<BuildDetail> {
    return await this.call<BuildDetail>('POST', `/builds/${id}/resume`, { from });
  }

  async cancel(id: string): Promise<BuildDetail> {
    return await this.call<BuildDetail>('POST', `/builds/${id}/cancel`, {});
  }

  /** Resolves when the build is at rest. */
  async atRest(id: string): Promise<BuildDetail> {
    return await this.buildThat(id, ({ state }) => RESTS.includes(state));
  }

  /** Resolves when it holds for the build, which is looked at after each event. */
  async buildThat(id: string, holds: (build: BuildDetail) => boolean): Promise<BuildDetail> {
    for (;;) {
      const known = this.events.all.length;
      const build = await this.build(id);
      if (holds(build)) return build;
      await Promise.race([this.events.more(known), sleep(1000)]);
    }
  }

  /** The newest attempt's log of each job, one behind the other. */
  async log(id: string): Promise<Buffer> {
    const logs = (await this.build(id)).jobs.flatMap(({ attempts }) => attempts.at(-1) ?? []);
    const bytes = await Promise.all(
      logs.map((attempt) => this.bytes(`/attempts/${attempt.id}/log?follow=true`)),
    );
    return Buffer.concat(bytes);
  }

  async artifacts(id: string): Promise<readonly Artifact[]> {
    const { artifacts } = await this.call<{ artifacts: Artifact[] }>('GET', `/builds/${id}/artifacts`);
    return artifacts;
  }

  async bytes(path: string, offset = 0): Promise<Buffer> {
    const { body } = await this.admin.download(`/api/v1${path}`, { offset });
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  /** Kills a coordinator and starts it again. Resolves when it answers. */
  async restartCoordinator(index = 0): Promise<void> {
    await this.coordinators[index]!.kill9();
    await this.startCoordinator(index);
  }

  async startCoordinator(index = 0): Promise<void> {
    const coordinator = this.coordinators[index]!;
    coordinator.start();
    const url = this.urls[index]!;
    for (;;) {
      const client = new HttpClient({ url, secret: null, ca: this.ca });
      try {
        await client.json('GET', '/api/v1/health');
        return;
      } catch (error) {
        if (!coordinator.isRunning) throw new Error(coordinator.output, { cause: error });
        await sleep(30);
      } finally {
        client.close();
      }
    }
  }

  /** Starts an agent again that was killed. Resolves when it has said hello. */
  async startAgent(index = 0): Promise<void> {
    const known = this.events.lastSeq;
    const agent = this.agents[index]!;
    agent.start();
    await this.events.until(
      ({ type, data }) => type === 'agent-connected' && data['name'] === agent.name,
      known,
    );
  }

  async restartAgent(index = 0): Promise<void> {
    await this.agents[index]!.kill9();
    await this.startAgent(index);
  }

  /** Resolves when every agent has had an answer to a heartbeat that it sent after this was called: it knows by then what is wished. */
  async agentsKnow(): Promise<void> {
    // The answer to one heartbeat has come when the next one is there.
    for (let beat = 0; beat < 2; beat += 1) {
      const before = new Map((await this.#agentViews()).map(({ name, lastSeenAt }) => [name, lastSeenAt]));
      const notYet = async (): Promise<readonly string[]> =>
        (await this.#agentViews())
          .filter(({ name, lastSeenAt }) => lastSeenAt === before.get(name))
          .map(({ name }) => name);
      for (let names = await notYet(); names.length > 0; names = await notYet()) {
        for (const name of names) await this.wakeAgent(name);
        await sleep(200);
      }
    }
  }

  /** It tells what it has to tell now, where it listens already, and not when its next heartbeat is due. Changes nothing. */
  async wakeAgent(name: string): Promise<void> {
    await this.call('POST', `/agents/${name}/undrain`);
  }

  async #agentViews(): Promise<readonly AgentView[]> {
    return (await this.call<{ agents: AgentView[] }>('GET', '/agents')).agents;
  }

  /** Another process with the same folder of state, but its own areas: what somebody does who copies a host. */
  copyOfAgent(index: number, state: string): FarmProcess {
    const env = { ...this.#agentEnv(index), DISTROFARM_AGENT_STATE: state };
    return new FarmProcess(`copy of agent ${index}`, [...this.#programs.agent, 'run'], {
      ...env,
      DISTROFARM_AGENT_STORE: join(state, 'areas'),
    });
  }

  agentFolder(index: number): string {
    return join(this.folder, `agent${index}`);
  }

  /** Resolves when it answers. Its data is what it was. */
  async startRedis(): Promise<void> {
    this.#redis.start();
    while ((await this.redisCli('ping')) !== 'PONG') await sleep(20);
  }

  /** Commands to the farm's Redis. Resolves to what redis-cli prints. */
  async redisCli(...args: readonly string[]): Promise<string> {
    const child = spawn('redis-cli', ['-s', this.redisSocket, ...args]);
    let text = '';
    child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
    await once(child, 'close');
    return text.trim();
  }

  /** Ends every process, and removes everything. */
  async stop(): Promise<void> {
    await this.#events?.stop();
    await Promise.all([...this.agents, ...this.coordinators].map((child) => child.kill9()));
    for (const client of this.#clients.values()) client.close();
    await this.#redis.kill9();
    await this.#postgres?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    const { database, coordinators = 1, agents, prepare } = this.options;
    await prepare?.(this.folder);
    await this.startRedis();
    if (database === 'postgres') this.#postgres = await startPostgres();
    if (this.options.transfersAreQuick === true) await this.#rememberQuickTransfers();
    for (let index = 0; index < coordinators; index += 1) await this.#addCoordinator(index);
    this.#adminToken = (await readFile(join(this.folder, 'coordinator/admin-token'), 'utf8')).trim();
    this.#events = new FarmEvents(this.urls.map((url) => this.clientFor(this.#adminToken, url)));
    for (let index = 0; index < agents; index += 1) await this.addAgent();
  }

  /** In a day from now, so that they stay the newest, and as many as are looked at. */
  async #rememberQuickTransfers(): Promise<void> {
    const data = join(this.folder, 'coordinator');
    await mkdir(data, { mode: 0o700 });
    const database = await openDatabase(
      this.#postgres === null
        ? { kind: 'sqlite', path: join(data, 'farm.db') }
        : { kind: 'postgres', url: this.#postgres.url },
    );
    try {
      await migrate(database);
      const quick = { store: 'directory', distribution: '', label: '', bytes: 1, ms: 1 } as const;
      for (let kept = 0; kept < 200; kept += 1)
        await keepFetchTime(database.db, { ...quick, at: Date.now() + 86_400_000 });
    } finally {
      await database.close();
    }
  }

  async #addCoordinator(index: number): Promise<void> {
    const { network } = this.options;
    const address = `${network?.address(0) ?? '127.0.0.1'}:${await freePort()}`;
    this.urls.push(`${network === undefined ? 'http' : 'https'}://${address}`);
    const program = this.#programs.coordinator;
    const argv = network?.on(0, ...program) ?? program;
    this.coordinators.push(new FarmProcess(`coordinator ${index}`, argv, this.#coordinatorEnv(address)));
    await this.startCoordinator(index);
  }

  #coordinatorEnv(address: string): Readonly<Record<string, string>> {
    return {
      DISTROFARM_LISTEN: address,
      // Shared by all coordinators of a farm: logs and artifacts are in it.
      DISTROFARM_DATA: join(this.folder, 'coordinator'),
      DISTROFARM_DATABASE: this.#postgres?.url ?? 'sqlite',
      DISTROFARM_REDIS: `unix:${this.redisSocket}`,
      DISTROFARM_LEASE_SECONDS: String(this.options.leaseSeconds ?? ''),
      DISTROFARM_REQUESTS_PER_MINUTE: '100000',
      DISTROFARM_LOG_LEVEL: 'warn',
      ...this.options.env,
    };
  }

  /** Enrols an agent as people do, and starts it. */
  async addAgent(
    settings: Readonly<Record<string, string>> = {},
    { host = this.agents.length + 1 }: AgentPlace = {},
  ): Promise<FarmProcess> {
    const index = this.agents.length;
    const name = `agent${index}`;
    const { token, caFingerprint } = await this.call<Enrolment>('POST', '/agents/enrolments', { name });
    const program = (...args: readonly string[]): readonly string[] =>
      this.options.network?.on(host, ...this.#programs.agent, ...args) ?? [...this.#programs.agent, ...args];
    const pin = caFingerprint === null ? [] : ['--ca-fingerprint', caFingerprint];
    const enrol = program('enrol', '--coordinator', this.url, '--token', token, ...pin);
    return await this.#join(name, enrol, program('run'), settings);
  }

  /** The same by a line that somebody was shown, in a shell where `distrofarm-agent` is installed. The agent then has that name. */
  async addAgentBy(line: string, name: string): Promise<FarmProcess> {
    const path = `${join(INSTALLED, 'bin')}:${process.env['PATH'] ?? ''}`;
    return await this.#join(name, ['sh', '-c', line], [...this.#programs.agent, 'run'], { PATH: path });
  }

  async #join(
    name: string,
    enrol: readonly string[],
    run: readonly string[],
    settings: Readonly<Record<string, string>>,
  ): Promise<FarmProcess> {
    const index = this.agents.length;
    const env = { ...this.#agentEnv(index), ...settings };
    const enrolment = new FarmProcess(`enrolment of ${name}`, enrol, env);
    enrolment.start();
    if ((await enrolment.ended()) !== 0) throw new Error(enrolment.output);
    const agent = new FarmProcess(name, run, env);
    this.agents.push(agent);
    await this.startAgent(index);
    return agent;
  }

  get #programs(): FarmPrograms {
    return this.options.programs ?? INSTALLED_PROGRAMS;
  }

  #agentEnv(index: number): Readonly<Record<string, string>> {
    const folder = this.agentFolder(index);
    return {
      DISTROFARM_AGENT_STATE: join(folder, 'state'),
      DISTROFARM_AGENT_STORE: join(folder, 'store'),
      DISTROFARM_AGENT_CACHE: join(folder, 'cache'),
    };
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
