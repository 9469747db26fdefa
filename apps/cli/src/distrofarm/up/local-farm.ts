import { BuildAreaLock, BuildAreaLockedError } from '#libs/build-area';
import { formatDuration } from '#libs/watch';
import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { CliError } from '../cli-error.js';
import { EXIT } from '../exit-codes.js';
import type { Farm } from '../farm.js';
import type { Session } from '../session.js';
import { Announcer } from './announcer.js';
import { chooseStore } from './choose-store.js';
import { openFarmFolder, type FarmFolder } from './farm-folder.js';
import { describeEnd, FarmPart } from './farm-part.js';
import { keepRunning } from './keep-running.js';
import { refuseTakenPort, type FarmAddress } from './listen-address.js';
import {
  agentSettings,
  enrolLocalAgent,
  readLocalIdentity,
  untilConnected,
  type LocalIdentity,
} from './local-agent.js';
import { coordinatorSettings, farmAt, readAdminToken, readTrust, untilHealthy } from './local-coordinator.js';
import { keepLocalProfile, LOCAL_PROFILE } from './local-profile.js';
import { LocalRedis } from './local-redis.js';
import { lastWords, openPartLog } from './part-log.js';

export interface UpOptions {
  readonly data: string;
  readonly listen: FarmAddress;
  readonly store: string | null;
  readonly slots: number;
  /** The agent's; `null`: the host's. */
  readonly name: string | null;
}

/** A step has 10 s to end, what it said 5 s to be delivered. */
const AGENT_STOPS_WITHIN_MS = 45_000;
const COORDINATOR_STOPS_WITHIN_MS = 20_000;
const WORDS_SHOWN = 5;
/** What is said to this program is not said to the others; and the certificate of a farm on one machine is its own. */
const NOT_FOR_PARTS =
  /^DISTROFARM_(URL|TOKEN|CA|PROFILE|COORDINATOR|DATA|LISTEN|REDIS|TLS.*|AGENT_(STATE|STORE|SLOTS|NAME))$/;

type Ready = (signal: AbortSignal) => Promise<void>;

/**
 * A whole farm on this machine, for as long as nobody stops it:
 *
 *     lock the data folder ─► Redis ─► coordinator ─► enrol once ─► agent ─► say so ─► restart what ends
 *                                                                            stop: agent, coordinator, Redis
 *
 * The kernel ends all of them with this process, however it ends.
 */
export class LocalFarm {
  readonly #announcer: Announcer;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** What looks after the parts; none of them throws. */
  readonly #keepers: Promise<void>[] = [];
  /** In the order in which things were opened. */
  readonly #closers: (() => Promise<void>)[] = [];

  constructor(
    private readonly session: Session,
    private readonly options: UpOptions,
  ) {
    this.#announcer = new Announcer(session);
    this.#signal = AbortSignal.any([session.io.signal, this.#stop.signal]);
  }

  /** Resolves when the farm was told to stop, and has stopped. Throws a CliError when it cannot start. */
  async run(): Promise<void> {
    const folder = await openFarmFolder(this.options.data);
    const lock = takeLock(folder);
    try {
      await this.#start(folder);
      await Promise.race(this.#keepers);
      await this.#announcer.changed(
        'farm',
        'stopping: steps end now, their checkpoints stay (again: kill everything)',
      );
    } finally {
      this.#stop.abort();
      await Promise.allSettled(this.#keepers);
      for (const close of this.#closers.reverse()) await close();
      lock.release();
    }
    await this.#announcer.changed('farm', 'stopped; what was being built goes on at the next: distrofarm up');
  }

  async #start(folder: FarmFolder): Promise<void> {
    const { listen, slots } = this.options;
    await refuseTakenPort(listen);
    const store = await chooseStore(folder, this.options.store);
    const redis = await this.#startRedis(folder);
    await this.#startCoordinator(folder, redis.address);
    const trust = await readTrust(folder, listen);
    const token = await readAdminToken(folder);
    const farm = farmAt(listen, token, trust);
    this.#closers.push(() => {
      farm.close();
      return Promise.resolve();
    });
    const settings = { coordinator: listen.url, store: store.place, slots, caPath: trust?.path ?? null };
    const agent = await this.#startAgent(folder, farm, agentSettings(folder, settings));
    const profile = { url: listen.url, token, ca: trust?.pem ?? null };
    const notes = await keepLocalProfile(
      this.session.io.env,
      profile,
      trust?.fingerprint ?? null,
      programAt('distrofarm'),
    );
    await this.#announcer.started({
      url: listen.url,
      publicUrl: listen.publicUrl === listen.url ? null : listen.publicUrl,
      data: folder.root,
      logs: folder.logs,
      store: store.words,
      agent: agent.name,
      slots,
      profile: LOCAL_PROFILE,
      tryThis: `${this.#shown(programAt('distrofarm'))} submit ${this.#shown(join(INSTALLED, 'examples/debian-live.xml'))} --watch`,
    });
    await this.session.note(...notes);
  }

  async #startRedis(folder: FarmFolder): Promise<LocalRedis> {
    const tell = async (text: string): Promise<void> => this.#announcer.changed('redis', text);
    const redis = await LocalRedis.start(folder.redis);
    this.#closers.push(async () => redis.stop());
    await tell('up');
    this.#keepers.push(redis.keepRunning(this.#signal, tell));
    return redis;
  }

  async #startCoordinator(folder: FarmFolder, redis: string): Promise<void> {
    const { listen } = this.options;
    const environment = { ...this.#environment(), ...coordinatorSettings(folder, listen, redis) };
    const log = await openPartLog(folder.logs, 'coordinator');
    const argv = [programAt('distrofarm-coordinator')];
    const part = new FarmPart({ name: 'coordinator', argv, environment, log });
    await this.#startPart(part, COORDINATOR_STOPS_WITHIN_MS, async (signal) =>
      untilHealthy(folder, listen, signal),
    );
  }

  async #startAgent(
    folder: FarmFolder,
    farm: Farm,
    settings: Readonly<Record<string, string>>,
  ): Promise<LocalIdentity> {
    const environment = { ...this.#environment(), ...settings };
    const program = programAt('distrofarm-agent');
    if ((await readLocalIdentity(folder)) === null) {
      await enrolLocalAgent(farm, folder, this.options.name, program, environment);
      await this.#announcer.changed('agent', 'enrolled');
    }
    const identity = await readLocalIdentity(folder);
    if (identity === null) throw new Error(`no identity in ${folder.agent} after enrolling`);
    const log = await openPartLog(folder.logs, 'agent');
    const part = new FarmPart({ name: 'agent', argv: [program, 'run'], environment, log });
    await this.#startPart(part, AGENT_STOPS_WITHIN_MS, async (signal) =>
      untilConnected(farm, identity, this.session.io.now(), signal),
    );
    return identity;
  }

  /** Starts it, waits until it works, and has it looked after from then on. Throws a CliError when it ends instead. */
  async #startPart(part: FarmPart, graceMs: number, ready: Ready): Promise<void> {
    const { name, log } = part.program;
    this.#signal.throwIfAborted();
    part.start();
    this.#closers.push(async () => {
      const isOrderly = await part.stop(graceMs);
      await log.file.close();
      await this.#announcer.changed(name, isOrderly ? 'stopped' : 'did not stop, and was killed');
    });
    const waiting = new AbortController();
    const works = ready(AbortSignal.any([this.#signal, waiting.signal])).then(() => null);
    const end = await Promise.race([works, part.ended()]);
    waiting.abort();
    await works;
    this.#signal.throwIfAborted();
    if (end !== null) {
      const words = await lastWords(log.path, WORDS_SHOWN);
      throw new CliError(
        EXIT.config,
        `the ${name} ${describeEnd(end)}`,
        `All it said is in ${log.path}`,
        words,
      );
    }
    await this.#announcer.changed(name, 'up');
    this.#keepers.push(this.#keep(part, ready));
  }

  async #keep(part: FarmPart, ready: Ready): Promise<void> {
    const { name, log } = part.program;
    await keepRunning(part, {
      signal: this.#signal,
      now: this.session.io.now,
      onEnd: async (end, delayMs) => {
        const text = `${describeEnd(end)}; starting it again in ${formatDuration(delayMs)}; log: ${log.path}`;
        await this.#announcer.changed(name, text, await lastWords(log.path, WORDS_SHOWN));
      },
      onStart: async (signal) => {
        await ready(signal);
        if (!signal.aborted) await this.#announcer.changed(name, 'up again');
      },
    });
  }

  #environment(): Record<string, string | undefined> {
    return Object.fromEntries(
      Object.entries(this.session.io.env).filter(([name]) => !NOT_FOR_PARTS.test(name)),
    );
  }

  /** As one would type it here. */
  #shown(path: string): string {
    const near = relative(this.session.io.cwd, path);
    return near.startsWith('..') ? path : near;
  }
}

/** Throws a CliError when another one uses the folder. */
function takeLock(folder: FarmFolder): BuildAreaLock {
  try {
    return BuildAreaLock.take(folder.root, 'distrofarm up');
  } catch (error) {
    if (!(error instanceof BuildAreaLockedError)) throw error;
    throw new CliError(
      EXIT.config,
      `another "distrofarm up" uses ${folder.root}: ${error.holder}`,
      'Use that one (distrofarm status), stop it with Ctrl-C or SIGTERM, or start another farm with --data and --listen of its own.',
    );
  }
}

/** The folder of package.json, from the sources as well as from dist/. */
const INSTALLED = installedAbove(import.meta.dirname);

function installedAbove(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : installedAbove(dirname(folder));
}

function programAt(name: string): string {
  return join(INSTALLED, 'bin', name);
}
