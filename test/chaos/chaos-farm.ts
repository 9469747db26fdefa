import { execa } from 'execa';
import { mkdir, open, readdir, rm, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentView, BuildDetail, BuildId, SubmittedBuild } from '#libs/contracts';
import { ApiError, Unreachable } from '#libs/http-client';
import { INSTALLED, type FarmProcess } from '../support/farm-process.js';
import { TestFarm, type FarmPrograms } from '../support/test-farm.js';
import { TestNetwork } from '../support/test-network.js';
import type { Violation } from './invariants/evidence.js';
import { FaultyProxy } from './faulty-proxy.js';
import { History, type Phase } from './history.js';
import { KillPoints } from './kill-points.js';
import { tasteOf, toyImage, type Taste } from './toy-image.js';

/** Short, so that what waits for it to run out does not wait long; ten times what the coordinator and the agents need on a busy machine. On one that is busier still, leases run out by themselves. */
export const LEASE_MS = 1_000 * Number(process.env['CHAOS_LEASE_SECONDS'] ?? 5);

/** Where agents are asked for checkpoints. */
const PEER_PORT = 7001;
/** Of an agent's disk, and of the coordinator's: enough for hundreds of builds, little enough to be filled at once. */
const DISK_BYTES = 256 * 1024 * 1024;

const COORDINATOR_STARTS = 60;

export interface ChaosFarmOptions {
  /** Where history and truth log are kept: no program of the farm writes there. */
  readonly folder: string;
  readonly database: 'sqlite' | 'postgres';
  readonly hosts: number;
  /** Folders on a small disk of each host's own, or a ZFS pool of each one's own (inside scripts/with-zfs.sh). */
  readonly store: 'directory' | 'zfs';
  /** Agents and coordinator are killed at places in their own work, once `killPoints` is armed. */
  readonly killAtPlaces?: boolean;
}

/** A host of the farm's with the agent that is on it. */
export interface AgentHost {
  /** In the network: from 1 on. */
  readonly number: number;
  /** In `farm.agents`. */
  index: number;
  /** What its agent reaches the coordinator by. */
  readonly uplink: FaultyProxy;
  /** What other hosts' agents reach it by. */
  readonly peers: FaultyProxy;
}

/** A farm with each agent on a host of its own, and a history of all that is done to it. Needs a network namespace that it has for itself. */
export class ChaosFarm {
  readonly history: History;
  readonly hosts: readonly AgentHost[];
  readonly killPoints: KillPoints;
  /** Programs that ended though nobody ended them, each in words. */
  readonly endedByThemselves: string[] = [];
  readonly #busy = new Set<string>();
  readonly #said = new Set<string>();

  private constructor(
    readonly farm: TestFarm,
    readonly network: TestNetwork,
    readonly options: ChaosFarmOptions,
    hosts: readonly Omit<AgentHost, 'index'>[],
  ) {
    this.history = new History(join(options.folder, 'history.jsonl'));
    this.killPoints = new KillPoints(killPointsIn(options.folder));
    this.hosts = hosts.map((host) => ({ ...host, index: NaN }));
  }

  static async open(options: ChaosFarmOptions): Promise<ChaosFarm> {
    const network = await TestNetwork.open(options.hosts, { hubIsHere: true });
    await network.meetAtHub(options.hosts);
    const { database } = options;
    const env = {
      DISTROFARM_KEEP_FINISHED_DAYS: '0',
      DISTROFARM_KEEP_NEWEST_CHECKPOINTS: '0',
      ...killedAtPlaces(options, 'coordinator'),
    };
    const leaseSeconds = LEASE_MS / 1000;
    const prepare = async (root: string): Promise<void> => await mountDisk(join(root, 'coordinator'));
    const programs = options.killAtPlaces === true ? { programs: inModules() } : {};
    const farm = await TestFarm.start({
      ...{ database, agents: 0, network, leaseSeconds, env, prepare },
      ...programs,
    });
    const hosts: Omit<AgentHost, 'index'>[] = [];
    for (let number = 1; number <= options.hosts; number += 1)
      hosts.push({ number, ...(await openProxies(farm, network, number)) });
    const chaos = new ChaosFarm(farm, network, options, hosts);
    await mkdir(chaos.truthFolder, { recursive: true });
    for (const host of chaos.hosts) await chaos.enrolAgent(host);
    return chaos;
  }

  get truthFolder(): string {
    return join(this.options.folder, 'truth');
  }

  /** The namespaces that this runs in take the rest away. */
  async close(): Promise<void> {
    for (const { uplink, peers } of this.hosts) await Promise.all([uplink.close(), peers.close()]);
    for (const agent of this.farm.agents) await agent.kill9();
    for (const { index } of this.hosts) await this.#removeStore(index);
    await execa('umount', ['-l', join(this.farm.folder, 'coordinator')], { reject: false });
    await this.farm.stop();
    await this.network.close();
  }

  /** A new agent on the host, with an empty store. */
  async enrolAgent(host: AgentHost): Promise<void> {
    const index = this.farm.agents.length;
    const settings = {
      DISTROFARM_AGENT_STORE: await this.#makeStore(index),
      DISTROFARM_COORDINATOR: `https://${this.network.address(0)}:${host.uplink.port}`,
      DISTROFARM_AGENT_PEER_LISTEN: `${this.network.address(host.number)}:${PEER_PORT}`,
      DISTROFARM_LOG_LEVEL: 'warn',
      ...killedAtPlaces(this.options, `agent${index}`),
    };
    await this.farm.addAgent(settings, { host: host.number });
    host.index = index;
  }

  /** The host is gone for good, and another one is in its place. */
  async replaceHost(host: AgentHost): Promise<void> {
    const { name } = this.agentOn(host);
    await this.agentOn(host).kill9();
    await this.#removeStore(host.index);
    await rm(this.farm.agentFolder(host.index), { recursive: true, force: true });
    await this.patiently(() => this.farm.call('POST', `/agents/${name}/revoke`, {}));
    // An enrolment whose answer is lost has used up its token and its name.
    await this.alone('coordinator', () => this.alone('database', () => this.enrolAgent(host)));
  }

  storeOf(host: AgentHost): string {
    return join(this.farm.agentFolder(host.index), 'store');
  }

  /** Of this farm's: a pool that is still busy when its farm goes is taken away with the namespaces only. */
  #poolOf(index: number): string {
    return `${basename(this.options.folder)}x${index}`;
  }

  async #makeStore(index: number): Promise<string> {
    const folder = join(this.farm.agentFolder(index), 'store');
    // One disk for all that the agent has; or a pool beside what it notes.
    if (this.options.store === 'directory') await mountDisk(this.farm.agentFolder(index));
    await mkdir(folder, { recursive: true });
    if (this.options.store === 'directory') return folder;
    const file = join(this.options.folder, `disk${index}`);
    await execa('fallocate', ['-l', String(DISK_BYTES), file]);
    await execa('zpool', ['create', '-m', folder, '-O', 'atime=off', this.#poolOf(index), file]);
    await execa('zfs', ['create', `${this.#poolOf(index)}/agent`]);
    return `${this.#poolOf(index)}/agent`;
  }

  async #removeStore(index: number): Promise<void> {
    if (this.options.store === 'zfs') {
      await execa('zpool', ['destroy', '-f', this.#poolOf(index)], { reject: false });
      await rm(join(this.options.folder, `disk${index}`), { force: true });
    } else await execa('umount', ['-l', this.farm.agentFolder(index)], { reject: false });
  }

  /** Nothing fits on the host's disk any more, until the returned function is called. */
  async fillDisk(host: AgentHost): Promise<() => Promise<void>> {
    return await fill(this.storeOf(host));
  }

  /** As `fillDisk`: database (SQLite's), logs and artifacts are on it. */
  async fillCoordinatorDisk(): Promise<() => Promise<void>> {
    return await fill(join(this.farm.folder, 'coordinator'));
  }

  /** Areas on the host's disk. */
  async areasOn(host: AgentHost): Promise<readonly string[]> {
    const names = await readdir(this.storeOf(host)).catch(() => []);
    return names.filter((name) => name.startsWith('b-'));
  }

  /** Runs it with the resource for itself, once it is free. */
  async alone<T>(resource: string, work: () => Promise<T>): Promise<T> {
    while (this.#busy.has(resource)) await sleep(20);
    this.#busy.add(resource);
    try {
      return await work();
    } finally {
      this.#busy.delete(resource);
    }
  }

  notSaidYet(violations: readonly Violation[]): readonly Violation[] {
    const fresh = violations.filter((violation) => !this.#said.has(JSON.stringify(violation)));
    for (const violation of fresh) this.#said.add(JSON.stringify(violation));
    return fresh;
  }

  agentOn(host: AgentHost): FarmProcess {
    return this.farm.agents[host.index]!;
  }

  /** Default: as users do, with whatever other builds have done already. */
  async submit(key: string, taste: Taste = tasteOf(key), reuse = true): Promise<BuildId> {
    const { submission } = toyImage(this.truthFolder, taste);
    const body = { ...submission, reuse, note: key, idempotencyKey: key };
    const answer = await this.#operate('submit', null, { key }, async () => {
      const submitted = await this.farm.call<SubmittedBuild>('POST', '/builds', body);
      return { build: submitted.build.id, value: submitted.build.id };
    });
    if (answer === null) throw new Error(`submission ${key} was refused`);
    return answer;
  }

  /** Resolves to false when the farm refuses, since the build is no longer, or not yet, in a state for it. */
  async steer(name: 'pause' | 'resume' | 'cancel', build: BuildId, body: object = {}): Promise<boolean> {
    const done = await this.#operate(name, build, {}, async () => {
      await this.farm.call('POST', `/builds/${build}/${name}`, body);
      return { build, value: true };
    });
    return done ?? false;
  }

  /** Asks until there is an answer, as people do. `null`: refused. */
  async #operate<T>(
    name: string,
    build: BuildId | null,
    data: Readonly<Record<string, unknown>>,
    call: () => Promise<{ readonly build: BuildId; readonly value: T }>,
  ): Promise<T | null> {
    const note = (phase: Phase, of: BuildId | null, more = {}): void =>
      void this.history.record({ actor: 'user', name, phase, build: of, data: { ...data, ...more } });
    for (;;) {
      note('invoke', build);
      try {
        const { build: of, value } = await call();
        note('ok', of);
        return value;
      } catch (error) {
        const refused = error instanceof ApiError && error.status < 500;
        if (!refused && !mayPass(error)) throw error;
        note(refused ? 'fail' : 'info', build, { error: (error as Error).message });
        if (refused) return null;
      }
      await sleep(100);
    }
  }

  /** Asks until there is an answer. */
  async ask<T>(path: string): Promise<T> {
    return await this.patiently(() => this.farm.call<T>('GET', path));
  }

  async patiently<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!mayPass(error)) throw error;
        await sleep(100);
      }
    }
  }

  async build(id: BuildId): Promise<BuildDetail> {
    return await this.ask<BuildDetail>(`/builds/${id}`);
  }

  /** Again when it ends at once, as its unit does: it may not start while Redis or the database is away. Resolves when it answers. */
  async startCoordinator(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.farm.startCoordinator();
        return;
      } catch (error) {
        if (tries === COORDINATOR_STARTS) throw error;
        await sleep(500);
      }
    }
  }

  /** Starts the host's agent, when it does not run. Resolves when the coordinator has heard of it since. */
  async startAgent(host: AgentHost): Promise<void> {
    const agent = this.agentOn(host);
    if (!agent.isRunning) agent.start();
    const from = Date.now();
    while (!(await this.#hasBeenSeen(agent.name, from))) {
      if (!agent.isRunning) {
        this.endedByThemselves.push(`${agent.name}: ${agent.output.slice(-2000)}`);
        agent.start();
      }
      await sleep(100);
    }
  }

  async #hasBeenSeen(name: string, since: number): Promise<boolean> {
    const { agents } = await this.ask<{ agents: AgentView[] }>('/agents');
    const view = agents.find((agent) => agent.name === name);
    return view !== undefined && view.state !== 'lost' && (view.lastSeenAt ?? 0) >= since;
  }

  /** Whatever was done to it: everything runs, and is reached. */
  async heal(): Promise<void> {
    const { coordinators } = this.farm;
    coordinators[0]!.signal('SIGCONT');
    this.farm.redis.signal('SIGCONT');
    for (const host of this.hosts) {
      host.uplink.mend();
      host.peers.mend();
      await this.network.mend(host.number);
      this.agentOn(host).signal('SIGCONT');
      await this.startAgent(host);
      const { name } = this.agentOn(host);
      await this.patiently(() => this.farm.call('POST', `/agents/${name}/undrain`));
    }
  }
}

async function mountDisk(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await execa('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=755`, 'tmpfs', folder]);
}

/** The disk that the folder is on. */
async function fill(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'somebody-elses');
  const file = await open(path, 'w');
  try {
    const { bavail, bsize } = await statfs(folder);
    const piece = Buffer.alloc(1024 * 1024, 'x');
    for (let left = bavail * bsize; left > 0; left -= piece.length) await file.write(piece);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    await file.close();
  }
  return async () => await rm(path, { force: true });
}

async function openProxies(
  farm: TestFarm,
  network: TestNetwork,
  number: number,
): Promise<Pick<AgentHost, 'uplink' | 'peers'>> {
  const host = network.address(number);
  const [here, coordinator] = [network.address(0), new URL(farm.url)];
  return {
    uplink: await FaultyProxy.open({ host: here, port: 0 }, { host: here, port: Number(coordinator.port) }),
    peers: await FaultyProxy.open({ host, port: PEER_PORT }, { host, port: PEER_PORT }),
  };
}

function killPointsIn(folder: string): string {
  return join(folder, 'kill-points');
}

/** What is loaded in front of the program, and what it is told. */
function killedAtPlaces(
  { killAtPlaces, folder }: ChaosFarmOptions,
  program: string,
): Readonly<Record<string, string>> {
  if (killAtPlaces !== true) return {};
  const file = join(
    import.meta.dirname,
    program === 'coordinator' ? 'kill-coordinator-at.js' : 'kill-agent-at.js',
  );
  return {
    NODE_OPTIONS: `--import=${pathToFileURL(file).href}`,
    CHAOS_KILL_POINTS: killPointsIn(folder),
    CHAOS_PROGRAM: program,
    CHAOS_BUILT: INSTALLED,
  };
}

/** Made of the modules that it goes around which is loaded in front of them. */
function inModules(): FarmPrograms {
  return {
    coordinator: [process.execPath, join(INSTALLED, 'dist/apps/coordinator/src/main.js')],
    agent: [process.execPath, join(import.meta.dirname, 'agent-in-modules.js')],
  };
}

function mayPass(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof ApiError && error.status >= 500);
}
