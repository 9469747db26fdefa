/**
 * (c) The log: what the gateway takes of one attempt, against cat(1) from one unix socket to a file; and whether a step that writes much is held up by a
 * coordinator that does not take it.
 */
import type { Assignment, Enrolment, SubmittedBuild } from '#libs/contracts';
import { HttpClient } from '#libs/http-client';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CoordinatorLink } from '../../apps/agent/src/coordinator-link.js';
import { startPrivateRedis } from '../../libs/queue/src/private-redis.js';
import { FarmProcess, INSTALLED } from '../../test/support/farm-process.js';
import { Scenario } from '../../test/support/farm-scenario.js';
import { TestFarm } from '../../test/support/test-farm.js';
import { head, ms, percentile, row } from './figures.js';
import { ANNOUNCED } from './simulated-agent.js';

const MEGABYTE = 1024 ** 2;
const LOG_BYTES = 200 * MEGABYTE;
const RUNS = 5;
const LINE = `${'x'.repeat(99)}\n`;
const never = new AbortController().signal;

const folder = await mkdtemp(join(tmpdir(), 'bench-log-'));
try {
  const source = join(folder, 'source');
  await writeFile(source, LINE.repeat(Math.ceil(LOG_BYTES / LINE.length)).slice(0, LOG_BYTES));
  const { catSpeeds, gatewaySpeeds, chunkBytes } = await measureIngest(source);
  const { up, stopped, waits } = await measureStep(source);
  head(`(c) a log of ${LOG_BYTES / MEGABYTE} MB, best of ${RUNS}`);
  const speed = (values: readonly number[]): string => `${Math.max(...values).toFixed(0)} MB/s`;
  row('cat of a unix socket to a file, sent by cat', speed(catSpeeds));
  row(`the gateway, one attempt, chunks of ${chunkBytes / 1024} KB over a unix socket`, speed(gatewaySpeeds));
  row('  ratio', (Math.max(...gatewaySpeeds) / Math.max(...catSpeeds)).toFixed(2), '>= 0.3');
  row('a step that writes all of it, the coordinator is up, median', ms(percentile(up, 0.5)));
  row('the same step, the coordinator does not answer (SIGSTOP), median', ms(percentile(stopped, 0.5)));
  row('  ratio', (percentile(stopped, 0.5) / percentile(up, 0.5)).toFixed(2), '<= 1.1');
  row('  bytes of it that the coordinator has in the end', waits);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function measureIngest(source: string) {
  const redis = await startPrivateRedis(join(folder, 'redis'), { endsWithUs: true });
  const socket = join(folder, 'c.sock');
  const coordinator = new FarmProcess(
    'coordinator',
    [process.execPath, join(INSTALLED, 'dist/apps/coordinator/src/main.js')],
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
    const { link, assignments, chunkBytes } = await playAgent(`unix:${socket}`, RUNS);
    const catSpeeds: number[] = [];
    const gatewaySpeeds: number[] = [];
    // By turns, so that what else the machine does is with both.
    for (const assignment of assignments) {
      catSpeeds.push(await catSpeed(source));
      gatewaySpeeds.push(await gatewaySpeed(link, assignment, source, chunkBytes));
    }
    return { catSpeeds, gatewaySpeeds, chunkBytes };
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
  return { link, assignments, chunkBytes: settings.logChunkBytes };
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

/** MB/s. As the agent sends it: a chunk is read from the spool, sent, and acknowledged before the next. */
async function gatewaySpeed(
  link: CoordinatorLink,
  { attempt, epoch, token }: Assignment,
  source: string,
  chunkBytes: number,
): Promise<number> {
  const file = await open(source);
  const from = performance.now();
  for (let offset = 0; offset < LOG_BYTES;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, offset);
    offset = await link.log({ attempt, epoch, token }, offset, buffer.subarray(0, bytesRead), never);
  }
  await file.close();
  return megabytesPerSecond(from);
}

/** MB/s, with cat at both ends. */
async function catSpeed(source: string): Promise<number> {
  const path = join(folder, 'cat.sock');
  const target = await open(join(folder, 'copy'), 'w');
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
  const speed = megabytesPerSecond(from);
  receiver.destroy();
  server.close();
  await target.close();
  await rm(join(folder, 'copy'));
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
    const kept = await payloadOf(farm, lastBuild);
    return { up, stopped, waits: `${Math.round(kept / MEGABYTE)} MB` };
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

/** Of the step's own lines in the log, without what is in front of each. */
async function payloadOf(farm: TestFarm, build: string): Promise<number> {
  const { jobs } = await farm.build(build);
  const attempt = jobs[0]?.attempts.at(-1)?.id ?? '';
  const path = join(farm.folder, 'coordinator/logs', `${attempt}.log`);
  let lines = 0;
  for await (const chunk of createReadStream(path)) {
    for (
      let at = (chunk as Buffer).indexOf(LINE);
      at >= 0;
      at = (chunk as Buffer).indexOf(LINE, at + LINE.length)
    )
      lines += 1;
  }
  return lines * LINE.length;
}
