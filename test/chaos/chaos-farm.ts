import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentView, BuildDetail, BuildId, SubmittedBuild } from '#libs/contracts';
import { ApiError, Unreachable } from '#libs/http-client';
import type { FarmProcess } from '../support/farm-process.js';
import type { Scenario } from '../support/farm-scenario.js';
import { TestFarm } from '../support/test-farm.js';
import { TestNetwork } from '../support/test-network.js';
import { History, type Phase } from './history.js';
import { toyImage } from './toy-image.js';

/** Short, so that what waits for it to run out does not wait long; ten times what the coordinator and the agents need on a busy machine. */
export const LEASE_MS = 5_000;

export interface ChaosFarmOptions {
  /** Where history and truth log are kept: no program of the farm writes there. */
  readonly folder: string;
  readonly database: 'sqlite' | 'postgres';
  readonly hosts: number;
}

/** A host of the farm's with the agent that is on it. */
export interface AgentHost {
  /** In the network: from 1 on. */
  readonly number: number;
  /** In `farm.agents`. */
  index: number;
}

/** A farm with each agent on a host of its own, and a history of all that is done to it. Needs a network namespace that it has for itself. */
export class ChaosFarm {
  readonly history: History;
  readonly image: Scenario;
  readonly hosts: readonly AgentHost[];
  /** Programs that ended though nobody ended them, each in words. */
  readonly endedByThemselves: string[] = [];
  readonly #busy = new Set<string>();

  private constructor(
    readonly farm: TestFarm,
    readonly network: TestNetwork,
    readonly options: ChaosFarmOptions,
  ) {
    this.history = new History(join(options.folder, 'history.jsonl'));
    this.image = toyImage(this.truthFolder);
    this.hosts = Array.from({ length: options.hosts }, (_, index) => ({ number: index + 1, index }));
  }

  static async open(options: ChaosFarmOptions): Promise<ChaosFarm> {
    const network = await TestNetwork.open(options.hosts, { hubIsHere: true });
    try {
      const { database } = options;
      const farm = await TestFarm.start({ database, agents: 0, network, leaseSeconds: LEASE_MS / 1000 });
      const chaos = new ChaosFarm(farm, network, options);
      await mkdir(chaos.truthFolder, { recursive: true });
      for (const { number } of chaos.hosts) await farm.addAgent({}, { host: number });
      return chaos;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  get truthFolder(): string {
    return join(this.options.folder, 'truth');
  }

  async close(): Promise<void> {
    await this.farm.stop();
    await this.network.close();
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

  agentOn(host: AgentHost): FarmProcess {
    return this.farm.agents[host.index]!;
  }

  async submit(key: string): Promise<BuildId> {
    const body = { ...this.image.submission, note: key, idempotencyKey: key };
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
    for (const host of this.hosts) {
      this.agentOn(host).signal('SIGCONT');
      await this.startAgent(host);
    }
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof ApiError && error.status >= 500);
}
