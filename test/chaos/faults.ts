import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { BuildDetail, FarmEvent } from '#libs/contracts';
import { openFarmCa } from '#libs/tls';
import { loadSqliteDriver } from '../../libs/store/src/sqlite-driver.js';
import { LEASE_MS, type AgentHost, type ChaosFarm } from './chaos-farm.js';
import { undelivered } from './find-left.js';
import type { Random } from './random.js';
import { FAILS_NEXT } from './toy-image.js';

export interface Fault {
  readonly name: string;
  readonly group: 'agent' | 'coordinator' | 'redis' | 'database' | 'network' | 'disk' | 'step' | 'user';
  /** The one database that it can be done to; left out: any. */
  readonly needs?: 'postgres';
  /** Does it, and takes it back. Resolves to where it hit: a step, say. */
  readonly inject: (chaos: ChaosFarm, random: Random) => Promise<string | null>;
}

/** What waits for a moment in a build does not wait for ever: there may be none. */
const MOMENT_MS = 8_000;

const shortly = (random: Random): number => random.between(200, LEASE_MS / 2);
const longerThanLease = (random: Random): number => random.between(LEASE_MS * 1.2, LEASE_MS * 1.8);

async function onSomeHost(
  chaos: ChaosFarm,
  random: Random,
  work: (host: AgentHost) => Promise<void>,
): Promise<null> {
  const host = random.pick(chaos.hosts);
  await chaos.alone(`host ${host.number}`, () => work(host));
  return null;
}

/** Waits for the moment, then has that host for itself at once, whoever waits for it. `null`: it did not come. */
async function whenItHappens(
  chaos: ChaosFarm,
  random: Random,
  moment: (event: FarmEvent) => boolean,
  work: (host: AgentHost, event: FarmEvent) => Promise<void>,
): Promise<string | null> {
  const { events } = chaos.farm;
  // Not always the next one, so that every step has its turn.
  let skip = random.between(0, 6);
  const wanted = events.until((event) => moment(event) && skip-- <= 0, events.lastSeq);
  const event = await Promise.race([wanted, sleep(MOMENT_MS, null)]);
  const host = chaos.hosts.find(
    (each) => event !== null && chaos.agentOn(each).name === agentOf(chaos, event),
  );
  if (event === null || host === undefined) return null;
  await chaos.alone(`host ${host.number}`, () => work(host, event));
  return String(event.data['step'] ?? event.data['lane']);
}

/** Name of the agent, by the event that gave it the job. */
function agentOf({ farm }: ChaosFarm, { attempt }: FarmEvent): string | null {
  const given = farm.events.all.findLast(
    (event) => event.type === 'job-started' && event.attempt === attempt,
  );
  return (given?.data['agentName'] as string | undefined) ?? null;
}

function killedAt(
  name: string,
  moment: (event: FarmEvent) => boolean,
  before: (chaos: ChaosFarm, random: Random, host: AgentHost, event: FarmEvent) => Promise<void>,
): Fault {
  return {
    name,
    group: 'agent',
    inject: async (chaos, random) =>
      await whenItHappens(chaos, random, moment, async (host, event) => {
        await before(chaos, random, host, event);
        await chaos.agentOn(host).kill9();
        await sleep(random.pick([0, shortly(random), longerThanLease(random)]));
        await chaos.startAgent(host);
      }),
  };
}

const atOnce = (): Promise<void> => Promise.resolve();
const isStepStart = ({ type }: FarmEvent): boolean => type === 'step-started';
const isPhase =
  (phase: string) =>
  ({ type, data }: FarmEvent): boolean =>
    type === 'attempt-phase' && data['phase'] === phase;

/** About when a step of the toy image ends. */
const STEP_MS = 450;

/**
 * Resolves when the store begins to keep something new of the workspace; the report of it comes later. On ZFS, which cannot be watched, when that is likely.
 */
async function snapshotBegins(chaos: ChaosFarm, host: AgentHost, { build, data }: FarmEvent): Promise<void> {
  if (chaos.options.store === 'zfs') {
    await sleep(STEP_MS);
    return;
  }
  const lane = String(data['lane']);
  const workspace = lane === 'main' ? 'build_data' : `build_data.${lane}`;
  const folder = join(chaos.storeOf(host), `${build}.${String(data['variant'])}`, '.checkpoints', workspace);
  const kept = (): string => (existsSync(folder) ? readdirSync(folder).join() : '');
  const before = kept();
  for (let waited = 0; kept() === before && waited < MOMENT_MS; waited += 2) await sleep(2);
}

/** The end of what the agent has noted is gone, as after a power failure. */
async function tearSpool(chaos: ChaosFarm, host: AgentHost, random: Random): Promise<void> {
  for (const attempt of await undelivered(chaos, host)) {
    const path = join(chaos.farm.agentFolder(host.index), 'state/spool', attempt, 'reports');
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    if (size > 0) await truncate(path, Math.max(0, size - random.between(1, 400)));
  }
}

async function frozen(chaos: ChaosFarm, host: AgentHost, ms: number): Promise<void> {
  const agent = chaos.agentOn(host);
  agent.signal('SIGSTOP');
  await sleep(ms);
  agent.signal('SIGCONT');
  await chaos.startAgent(host);
}

/** Some build that is on its way; `null`: none is. */
async function someBuild(chaos: ChaosFarm, random: Random): Promise<BuildDetail | null> {
  const { builds } = await chaos.ask<{ builds: BuildDetail[] }>(
    '/builds?state=running&state=waiting&limit=100',
  );
  return builds.length === 0 ? null : random.pick(builds);
}

async function untilState(chaos: ChaosFarm, { id }: BuildDetail, states: readonly string[]): Promise<void> {
  for (let waited = 0; waited < MOMENT_MS; waited += 100) {
    if (states.includes((await chaos.build(id)).state)) return;
    await sleep(100);
  }
}

function steered(
  name: string,
  work: (chaos: ChaosFarm, random: Random, build: BuildDetail) => Promise<void>,
): Fault {
  return {
    name,
    group: 'user',
    inject: async (chaos, random) => {
      await sleep(random.between(0, 2_000));
      const build = await someBuild(chaos, random);
      if (build !== null) await work(chaos, random, build);
      return null;
    },
  };
}

/** Another agent goes on: where the build is, nothing new is placed. */
export async function moveElsewhere(chaos: ChaosFarm, random: Random, build: BuildDetail): Promise<void> {
  await chaos.steer('pause', build.id);
  await untilState(chaos, build, ['paused', 'succeeded', 'failed']);
  const attempts = (await chaos.build(build.id)).jobs.flatMap((job) => job.attempts);
  const from = attempts.at(-1)?.agentName;
  if (from !== undefined)
    await chaos.patiently(() => chaos.farm.call('POST', `/agents/${from}/drain`, { why: 'chaos' }));
  await chaos.steer('resume', build.id);
  await sleep(random.between(1_000, 3_000));
  if (from !== undefined) await chaos.patiently(() => chaos.farm.call('POST', `/agents/${from}/undrain`));
}

/** SQLite: another process holds the write lock. PostgreSQL: the server is away. */
async function databaseAway(chaos: ChaosFarm, how: 'fast' | 'immediate', ms: number): Promise<void> {
  await chaos.alone('database', async () => {
    if (chaos.options.database === 'postgres') {
      await chaos.farm.postgres.restart(how, async () => await sleep(ms));
      return;
    }
    const database = loadSqliteDriver('native').open(join(chaos.farm.folder, 'coordinator/farm.db'));
    try {
      for (;;) {
        try {
          database.prepare('begin').run([]);
          break;
        } catch {
          await sleep(5);
        }
      }
      await sleep(ms);
      database.prepare('rollback').run([]);
    } finally {
      database.close();
    }
  });
}

const DAY_MS = 86_400_000;

/** The server's certificate is one of long ago, for the same names. */
async function expireCertificate(folder: string): Promise<void> {
  const path = join(folder, 'server.pem');
  const [pem = ''] = /-----BEGIN CERTIFICATE-----[^]+/.exec(await readFile(path, 'utf8')) ?? [];
  const names =
    new X509Certificate(pem).subjectAltName?.replaceAll(/DNS:|IP Address:/g, '').split(', ') ?? [];
  await rm(path);
  const ca = await openFarmCa(folder, () => Date.now() - 500 * DAY_MS);
  const { validUntil } = await ca.issueServerCertificate(names);
  if (validUntil > Date.now()) throw new Error(`the certificate in ${path} has not expired`);
}

async function endBackends(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()');
  await client.end();
}

async function onCoordinator(chaos: ChaosFarm, work: () => Promise<void>): Promise<null> {
  await chaos.alone('coordinator', work);
  return null;
}

async function onRedis(chaos: ChaosFarm, work: () => Promise<void>): Promise<null> {
  await chaos.alone('redis', work);
  return null;
}

/** Two faults: on some host for less than a lease, and for longer on one where a step has just begun. */
function shortAndLong(
  name: string,
  group: Fault['group'],
  work: (chaos: ChaosFarm, host: AgentHost, ms: number) => Promise<void>,
): readonly Fault[] {
  return [
    {
      name,
      group,
      inject: async (chaos, random) =>
        await onSomeHost(chaos, random, async (host) => await work(chaos, host, shortly(random))),
    },
    {
      name: `${name}-past-lease`,
      group,
      inject: async (chaos, random) =>
        await whenItHappens(
          chaos,
          random,
          isStepStart,
          async (host) => await work(chaos, host, longerThanLease(random)),
        ),
    },
  ];
}

/** All of the reference's table that one machine can do, by groups. */
export const FAULTS: readonly Fault[] = [
  killedAt('agent-killed-in-step', isStepStart, async (_, random) => await sleep(random.between(0, 400))),
  killedAt(
    'agent-killed-in-snapshot',
    isStepStart,
    async (chaos, _, host, event) => await snapshotBegins(chaos, host, event),
  ),
  killedAt('agent-killed-at-boundary', ({ type }) => type === 'checkpoint-taken', atOnce),
  killedAt('agent-killed-fetching', isPhase('fetching'), atOnce),
  killedAt(
    'agent-killed-publishing',
    isPhase('publishing'),
    async (_, random) => await sleep(random.between(0, 50)),
  ),
  {
    name: 'agent-killed-with-torn-spool',
    group: 'agent',
    inject: async (chaos, random) =>
      await whenItHappens(chaos, random, isStepStart, async (host) => {
        await sleep(random.between(0, 400));
        await chaos.agentOn(host).kill9();
        await tearSpool(chaos, host, random);
        await chaos.startAgent(host);
      }),
  },
  ...shortAndLong('agent-frozen', 'agent', frozen),
  {
    name: 'host-lost',
    group: 'agent',
    inject: async (chaos, random) =>
      await onSomeHost(chaos, random, async (host) => await chaos.replaceHost(host)),
  },
  {
    name: 'coordinator-killed',
    group: 'coordinator',
    inject: async (chaos, random) =>
      await onCoordinator(chaos, async () => {
        await chaos.farm.coordinators[0]!.kill9();
        await sleep(random.pick([0, shortly(random), longerThanLease(random)]));
        await chaos.startCoordinator();
      }),
  },
  {
    name: 'coordinator-frozen',
    group: 'coordinator',
    inject: async (chaos) =>
      await onCoordinator(chaos, async () => {
        chaos.farm.coordinators[0]!.signal('SIGSTOP');
        await sleep(LEASE_MS * 2);
        chaos.farm.coordinators[0]!.signal('SIGCONT');
      }),
  },
  {
    name: 'coordinator-certificate-expired',
    group: 'coordinator',
    inject: async (chaos) =>
      await onCoordinator(chaos, async () => {
        await chaos.farm.coordinators[0]!.kill9();
        await expireCertificate(join(chaos.farm.folder, 'coordinator/tls'));
        await chaos.startCoordinator();
      }),
  },
  {
    name: 'redis-killed',
    group: 'redis',
    inject: async (chaos, random) =>
      await onRedis(chaos, async () => {
        await chaos.farm.redis.kill9();
        await sleep(random.pick([0, shortly(random), longerThanLease(random)]));
        await chaos.farm.startRedis();
      }),
  },
  {
    name: 'redis-frozen',
    group: 'redis',
    inject: async (chaos, random) =>
      await onRedis(chaos, async () => {
        chaos.farm.redis.signal('SIGSTOP');
        await sleep(shortly(random));
        chaos.farm.redis.signal('SIGCONT');
      }),
  },
  {
    name: 'redis-emptied',
    group: 'redis',
    inject: async (chaos) =>
      await onRedis(chaos, async () => {
        await chaos.farm.redisCli('flushall');
      }),
  },
  {
    name: 'redis-full',
    group: 'redis',
    inject: async (chaos, random) =>
      await onRedis(chaos, async () => {
        await chaos.farm.redisCli('config', 'set', 'maxmemory', '1');
        await sleep(random.pick([shortly(random), longerThanLease(random)]));
        await chaos.farm.redisCli('config', 'set', 'maxmemory', '0');
      }),
  },
  {
    name: 'redis-read-only',
    group: 'redis',
    inject: async (chaos, random) =>
      await onRedis(chaos, async () => {
        // Of a server that is not there: it keeps what it has, and takes nothing.
        await chaos.farm.redisCli('replicaof', '127.0.0.1', '1');
        await sleep(random.pick([shortly(random), longerThanLease(random)]));
        await chaos.farm.redisCli('replicaof', 'no', 'one');
      }),
  },
  {
    name: 'redis-connections-cut',
    group: 'redis',
    inject: async (chaos, random) =>
      await onRedis(chaos, async () => {
        for (let time = 0; time < 5; time += 1) {
          for (const type of ['normal', 'pubsub']) await chaos.farm.redisCli('client', 'kill', 'type', type);
          await sleep(random.between(20, 400));
        }
      }),
  },
  {
    name: 'database-away',
    group: 'database',
    inject: async (chaos, random) => {
      await databaseAway(chaos, 'fast', shortly(random));
      return null;
    },
  },
  {
    name: 'database-away-past-lease',
    group: 'database',
    inject: async (chaos, random) => {
      await databaseAway(chaos, 'immediate', longerThanLease(random));
      return null;
    },
  },
  {
    name: 'database-connections-cut',
    group: 'database',
    needs: 'postgres',
    inject: async (chaos, random) => {
      await chaos.alone('database', async () => {
        for (let time = 0; time < 5; time += 1) {
          await endBackends(chaos.farm.postgres.url);
          await sleep(random.between(20, 400));
        }
      });
      return null;
    },
  },
  ...shortAndLong('link-down', 'network', linkDown),
  {
    name: 'link-half-open',
    group: 'network',
    inject: async (chaos, random) =>
      await onSomeHost(chaos, random, async ({ uplink }) => {
        uplink.stalled = { there: true, back: true };
        await sleep(random.pick([shortly(random), longerThanLease(random)]));
        uplink.mend();
        uplink.reset();
      }),
  },
  {
    name: 'link-one-way',
    group: 'network',
    inject: async (chaos, random) =>
      await onSomeHost(chaos, random, async ({ uplink }) => {
        const there = random.pick([true, false]);
        uplink.stalled = { there, back: !there };
        await sleep(random.pick([shortly(random), longerThanLease(random)]));
        uplink.mend();
        uplink.reset();
      }),
  },
  {
    name: 'link-flips-bits',
    group: 'network',
    inject: async (chaos, random) =>
      await onSomeHost(chaos, random, async ({ uplink, peers }) => {
        for (let time = 0; time < 5; time += 1) {
          uplink.flips.push(random.between(0, 5_000));
          peers.flips.push(random.between(0, 100_000));
          uplink.reset();
          await sleep(random.between(20, 400));
        }
        uplink.mend();
        peers.mend();
      }),
  },
  {
    name: 'link-reset',
    group: 'network',
    inject: async (chaos, random) =>
      await onSomeHost(chaos, random, async ({ uplink }) => {
        for (let time = 0; time < 5; time += 1) {
          uplink.reset();
          uplink.cuts.push(random.between(1, 5_000));
          await sleep(random.between(20, 400));
        }
        uplink.mend();
      }),
  },
  {
    name: 'link-sliced',
    group: 'network',
    inject: async (chaos, random) =>
      await onSomeHost(chaos, random, async ({ uplink }) => {
        uplink.sliceBytes = 1;
        await sleep(shortly(random));
        uplink.mend();
      }),
  },
  {
    name: 'link-slow',
    group: 'network',
    inject: async (chaos, random) =>
      await onSomeHost(chaos, random, async ({ uplink }) => {
        uplink.delayMs = 300;
        await sleep(LEASE_MS);
        uplink.mend();
      }),
  },
  {
    name: 'disk-full',
    group: 'disk',
    inject: async (chaos, random) =>
      await whenItHappens(chaos, random, isStepStart, async (host) => {
        const makeRoom = await chaos.fillDisk(host);
        await sleep(shortly(random));
        await makeRoom();
      }),
  },
  {
    name: 'coordinator-disk-full',
    group: 'disk',
    inject: async (chaos, random) =>
      await onCoordinator(chaos, async () => {
        const makeRoom = await chaos.fillCoordinatorDisk();
        await sleep(random.pick([shortly(random), longerThanLease(random)]));
        await makeRoom();
      }),
  },
  {
    name: 'step-fails',
    group: 'step',
    inject: async (chaos) => {
      const flag = join(chaos.truthFolder, FAILS_NEXT);
      await writeFile(flag, '');
      for (let waited = 0; existsSync(flag) && waited < MOMENT_MS; waited += 50) await sleep(50);
      await rm(flag, { force: true });
      return null;
    },
  },
  steered('user-pauses', async (chaos, random, build) => {
    await chaos.steer('pause', build.id);
    await sleep(random.between(0, 1_500));
    await chaos.steer('resume', build.id);
  }),
  steered('user-cancels', async (chaos, random, build) => {
    await chaos.steer('cancel', build.id);
    await untilState(chaos, build, ['cancelled', 'succeeded', 'failed']);
    await sleep(random.between(0, 500));
    await chaos.steer('resume', build.id);
  }),
  steered('user-submits-twice', async (chaos, _, build) => {
    await chaos.submit(build.note);
  }),
  steered('user-moves-it', moveElsewhere),
  steered('transfer-cut', async (chaos, random, build) => {
    for (const { peers } of chaos.hosts) {
      for (let time = 0; time < 3; time += 1) peers.cuts.push(random.between(1, 100_000));
    }
    await moveElsewhere(chaos, random, build);
    for (const { peers } of chaos.hosts) peers.mend();
  }),
];

async function linkDown({ network }: ChaosFarm, { number }: AgentHost, ms: number): Promise<void> {
  await network.cut(number);
  await sleep(ms);
  await network.mend(number);
}
