/**
 * (c) The log: what the gateway takes of one attempt's spool, against cat(1) from one unix socket to a file; and whether a step that writes much is held up by a
 * coordinator that does not take it.
 */
import type { AgentSettings, Assignment, Enrolment, SubmittedBuild } from '#libs/contracts';
import { HttpClient } from '#libs/http-client';
import { spawn } from 'node:child_process';
import { createHash, randomBytes, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { link as hardLink, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { CoordinatorLink } from '../../apps/agent/src/link/coordinator-link.js';
import { Delivery } from '../../apps/agent/src/reports/delivery.js';
import { AttemptSpool } from '../../apps/agent/src/reports/spool.js';
import { LogRecords, rawBytes } from '../../apps/cli/src/distrofarm/log-record.js';
import { startPrivateRedis } from '../../libs/queue/src/private-redis.js';
import { FarmProcess, INSTALLED } from '../../test/support/farm-process.js';
import { Scenario } from '../../test/support/farm-scenario.js';
import { TestFarm } from '../../test/support/test-farm.js';
import { head, ms, percentile, row } from '../figures.js';
import { ANNOUNCED } from './simulated-agent.js';

const MEGABYTE = 1024 ** 2;
const LOG_BYTES = 200 * MEGABYTE;
const RUNS = 5;
const LINE = `${'x'.repeat(99)}\n`;
/** As the agent reads its spool. */
const READ_BYTES = 1024 * 1024;
const never = new AbortController().signal;
let copies = 0;

const folder = await mkdtemp(join(tmpdir(), 'bench-log-'));
try {
  const source = join(folder, 'source');
  await writeFile(source, LINE.repeat(Math.ceil(LOG_BYTES / LINE.length)).slice(0, LOG_BYTES));
  const { cat, catSynced, http, gateway, chunkBytes } = await measureIngest(source);
  const { up, stopped, isWhole } = await measureStep(source);
  head(`(c) a log of ${LOG_BYTES / MEGABYTE} MB, best of ${RUNS}`);
  const speed = (values: readonly number[]): string => `${Math.max(...values).toFixed(0)} MB/s`;
  row('cat of a unix socket to a file, sent by cat', speed(cat));
  row('  and the file is on disk (fsync)', speed(catSynced));
  row('node:http over a unix socket into nothing, in the same chunks', speed(http));
  row(`the gateway, one attempt, chunks of ${chunkBytes / MEGABYTE} MB over a unix socket`, speed(gateway));
  row('  ratio to cat', (Math.max(...gateway) / Math.max(...cat)).toFixed(2), '>= 0.3');
  row('  ratio to node:http', (Math.max(...gateway) / Math.max(...http)).toFixed(2));
  row('a step that writes all of it, the coordinator is up, median', ms(percentile(up, 0.5)));
  row('the same step, the coordinator does not answer (SIGSTOP), median', ms(percentile(stopped, 0.5)));
  row('  ratio', (percentile(stopped, 0.5) / percentile(up, 0.5)).toFixed(2), '<= 1.1');
  row('  the coordinator has all of it in the end, byte for byte', isWhole ? 'yes' : 'NO', 'yes');
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function measureIngest(source: string) {
  const redis = await startPrivateRedis(join(folder, 'redis'), { endsWithUs: true });
  const socket = join(folder, 'c.sock');
  const coordinator = new FarmProcess(
    'coordinator',
    [process.execPath, join(INSTALLED, 'bin/distrofarm-coordinator')],
    {
      DISTROFARM_LISTEN: `unix:${socket}`,
      DISTROFARM_DATA: join(folder, 'coordinator'),
      DISTROFARM_REDIS: `unix:${join(folder, 'redis/redis.sock')}`,
      DISTROFARM_LOG_LEVEL: 'warn',
      DISTROFARM_REDIS_THROW_AWAY: 'true',
      DISTROFARM_LEASE_SECONDS: '600',
      NODE_OPTIONS: process.env['DISTROFARM_BENCH_NODE_OPTIONS'] ?? '',
    },
  );
  coordinator.start();
  try {
    const { link, assignments, settings } = await playAgent(`unix:${socket}`, RUNS);
    const chunkBytes = settings.logChunkBytes;
    const speeds = {
      cat: [] as number[],
      catSynced: [] as number[],
      http: [] as number[],
      gateway: [] as number[],
    };
    // By turns, so that what else the machine does is with all.
    for (const assignment of assignments) {
      speeds.cat.push(await catSpeed(source, false));
      speeds.catSynced.push(await catSpeed(source, true));
      speeds.http.push(await httpSpeed(source, chunkBytes));
      speeds.gateway.push(await gatewaySpeed(link, assignment, source, settings));
    }
    return { ...speeds, chunkBytes };
  } finally {
    await coordinator.end('SIGTERM');
    await redis.stop();
  }
}

/** Enrols, and takes so many jobs. */
async function playAgent(url: string, jobs: number) {
  const token = await adminToken();
  const admin = new HttpClient({ url, secret: token, ca: null });
  await untilUp(admin);
  const enrolment = await admin.json<Enrolment>('POST', '/api/v1/agents/enrolments', {});
  const facts = { ...ANNOUNCED, slots: jobs };
  const { key } = await new CoordinatorLink(new HttpClient({ url, secret: null, ca: null })).enrol({
    token: enrolment!.token,
    name: 'played',
    facts,
  });
  const link = new CoordinatorLink(new HttpClient({ url, secret: key, ca: null }));
  const instance = randomBytes(16).toString('hex');
  const { settings } = await link.hello(
    { instance, facts, peer: null, spooled: [], holdings: [], areas: [] },
    never,
  );
  const scenario = new Scenario(join(folder, 'scenario'), [{ name: 'one' }]);
  const assignments: Assignment[] = [];
  for (let n = 0; n < jobs; n += 1) {
    await admin.json<SubmittedBuild>('POST', '/api/v1/builds', scenario.submission);
    assignments.push((await link.claim(instance, 25_000, never))!);
  }
  admin.close();
  return { link, assignments, settings };
}

/** The coordinator writes it at its first start. */
async function adminToken(): Promise<string> {
  for (;;) {
    const text = await readFile(join(folder, 'coordinator/admin-token'), 'utf8').catch(() => '');
    if (text !== '') return text.trim();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function untilUp(client: HttpClient): Promise<void> {
  for (;;) {
    try {
      await client.json('GET', '/api/v1/health');
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** MB/s, until the coordinator has acknowledged all of a spool, which the agent's own delivery brings to it. */
async function gatewaySpeed(
  link: CoordinatorLink,
  { attempt, epoch, token }: Assignment,
  source: string,
  settings: AgentSettings,
): Promise<number> {
  const spool = await AttemptSpool.create(join(folder, 'spool'), { attempt, epoch, token });
  await hardLink(source, spool.logPath);
  const delivery = new Delivery(
    spool,
    { link, settings: () => settings, log: pino({ level: 'silent' }) },
    true,
  );
  const from = performance.now();
  const { kind } = await delivery.run(never);
  const speed = megabytesPerSecond(from);
  if (kind !== 'delivered') throw new Error(`the log was not delivered: ${kind}`);
  await spool.remove();
  return speed;
}

/** MB/s into a server that drops what comes, in bodies as large as the log's. */
async function httpSpeed(source: string, chunkBytes: number): Promise<number> {
  const socket = join(folder, 'sink.sock');
  const sink = new FarmProcess(
    'sink',
    [process.execPath, join(import.meta.dirname, 'http-sink.js'), socket],
    {},
  );
  sink.start();
  const client = new HttpClient({ url: `unix:${socket}`, secret: null, ca: null });
  try {
    await untilUp(client);
    const from = performance.now();
    for (let start = 0; start < LOG_BYTES; start += chunkBytes) {
      const length = Math.min(chunkBytes, LOG_BYTES - start);
      const content = createReadStream(source, { start, end: start + length - 1, highWaterMark: READ_BYTES });
      await client.send('POST', '/', content, { length });
    }
    return megabytesPerSecond(from);
  } finally {
    client.close();
    await sink.end('SIGKILL');
    await rm(socket, { force: true });
  }
}

/** MB/s, with cat at both ends. The copy stays until the end, as the logs do: memory that was just given back is much quicker to fill than new memory. */
async function catSpeed(source: string, isSynced: boolean): Promise<number> {
  const path = join(folder, 'cat.sock');
  const target = await open(join(folder, `copy-${(copies += 1)}`), 'w');
  const server = createServer({ pauseOnConnect: true }).listen(path);
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const sender = connect({ path });
  await once(sender, 'connect');
  const [receiver] = await accepted;
  const from = performance.now();
  const taking = spawn('cat', [], { stdio: [receiver, target.fd, 'inherit'] });
  const sending = spawn('cat', [source], { stdio: ['ignore', sender, 'inherit'] });
  const taken = once(taking, 'close');
  await once(sending, 'close');
  // Ours is the last end that is open.
  sender.end();
  await taken;
  if (isSynced) await target.sync();
  const speed = megabytesPerSecond(from);
  receiver.destroy();
  server.close();
  await target.close();
  return speed;
}

function megabytesPerSecond(from: number): number {
  return LOG_BYTES / MEGABYTE / ((performance.now() - from) / 1000);
}

/** The step tells by itself how long it took, since nobody else can while the coordinator does not answer. */
async function measureStep(source: string) {
  const farm = await TestFarm.start({
    database: 'sqlite',
    agents: 1,
    leaseSeconds: 600,
    env: { DISTROFARM_MAX_LOG_MB: '1000' },
  });
  try {
    const body = `hold gate
from=$(date +%s%N)
cat '${source}'
to=$(date +%s%N)
echo $(((to - from) / 1000000)) > "$S/took"
touch "$S/done"
`;
    const scenario = farm.scenario([{ name: 'loud', body }]);
    const [coordinator] = farm.coordinators;
    const run = async (isStopped: boolean): Promise<number> => {
      await rm(join(scenario.folder, 'took'), { force: true });
      await scenario.shut('gate');
      const build = await farm.submit(scenario);
      await scenario.reached('gate');
      if (isStopped) process.kill(coordinator!.pid, 'SIGSTOP');
      await scenario.open('gate');
      const took = await untilThere(join(scenario.folder, 'took'));
      if (isStopped) process.kill(coordinator!.pid, 'SIGCONT');
      await farm.atRest(build);
      lastBuild = build;
      return Number(took);
    };
    let lastBuild = '';
    const up: number[] = [];
    const stopped: number[] = [];
    for (let n = 0; n < RUNS; n += 1) {
      up.push(await run(false));
      stopped.push(await run(true));
    }
    const expected = createHash('sha256');
    for await (const chunk of createReadStream(source)) expected.update(chunk as Buffer);
    const kept = await hashOfOutput(farm, lastBuild);
    return { up, stopped, isWhole: kept.digest('hex') === expected.digest('hex') };
  } finally {
    await farm.stop();
  }
}

async function untilThere(path: string): Promise<string> {
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.endsWith('\n')) return text.trim();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Of what the step wrote to its standard output, without what the log has in front of each line; follows the log to its end. */
async function hashOfOutput(farm: TestFarm, build: string): Promise<Hash> {
  const { jobs } = await farm.build(build);
  const attempt = jobs[0]?.attempts.at(-1)?.id ?? '';
  const { body } = await farm.admin.download(`/api/v1/attempts/${attempt}/log?follow=true`);
  const hash = createHash('sha256');
  const records = new LogRecords();
  for await (const chunk of body) {
    for (const record of records.push(chunk as Buffer)) {
      if (record.step === 'loud' && record.stream === 'out') hash.update(rawBytes(record));
    }
  }
  return hash;
}
