/**
 * (b) 1,000 simulated agents with 4 slots each and 10,000 waiting jobs: how long scheduling passes take, how reports come in, and what memory the coordinator
 * needs. The agents are in two processes beside it, on the same machine.
 *
 * DISTROFARM_BENCH_DATABASE=postgres measures with PostgreSQL, DISTROFARM_BENCH_SECONDS changes how long (60), DISTROFARM_BENCH_EVENTS how many events a
 * second the agents are to report (500), DISTROFARM_BENCH_NODE_OPTIONS is NODE_OPTIONS of the coordinator. DISTROFARM_BENCH_REUSE=no submits without reuse.
 */
import type { Enrolment } from '#libs/contracts';
import { HttpClient } from '#libs/http-client';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestFarm } from '../../test/support/test-farm.js';
import { head, megabytes, ms, peakMemory, percentile, processorTime, row } from '../figures.js';
import type { Answered } from './simulated-agent.js';
import type { Answer, Order } from './simulated-agents.js';

const AGENTS = Number(process.env['DISTROFARM_BENCH_AGENTS'] ?? 1000);
const SLOTS = 4;
const WAITING = AGENTS * 10;
const PROCESSES = 2;
const STEPS = 10;
/** `step-started`, `step-ended`, `checkpoint-taken`. */
const EVENTS_PER_STEP = 3;
const USERS = 20;
const VARIANTS = 50;
/** Histogram of the coordinator. */
const PASS = 'distrofarm_schedule_pass_seconds';
const SECONDS = Number(process.env['DISTROFARM_BENCH_SECONDS'] ?? 60);
const EVENTS_PER_SECOND = Number(process.env['DISTROFARM_BENCH_EVENTS'] ?? 500);
const DATABASE = process.env['DISTROFARM_BENCH_DATABASE'] === 'postgres' ? 'postgres' : 'sqlite';
const REUSE = process.env['DISTROFARM_BENCH_REUSE'] !== 'no';
/** A little faster than asked for: attempts that begin and end take time, too. */
const STEP_MS = (AGENTS * SLOTS * EVENTS_PER_STEP * 1000) / (EVENTS_PER_SECOND * 1.04);

const farm = await TestFarm.start({
  database: DATABASE,
  agents: 0,
  leaseSeconds: 70,
  env: {
    DISTROFARM_RUNNING_PER_USER: '1000',
    NODE_OPTIONS: process.env['DISTROFARM_BENCH_NODE_OPTIONS'] ?? '',
  },
});
const children: ChildProcess[] = [];
const note = (text: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
try {
  await bench();
} finally {
  for (const child of children) child.kill();
  await farm.coordinators[0]?.end('SIGTERM');
  await farm.stop();
}

async function bench(): Promise<void> {
  const coordinator = farm.coordinators[0]!.pid;
  note(`enrolling ${AGENTS} agents`);
  await startAgents();
  note('they connect');
  const connecting = performance.now();
  await tell({ kind: 'connect' });
  const connectSeconds = (performance.now() - connecting) / 1000;
  note(`submitting ${WAITING + AGENTS * SLOTS} jobs`);
  const before = await passes();
  const submitting = performance.now();
  const builds = await submitAll();
  note(`${builds} builds submitted; waiting until all slots are in use`);
  await running(AGENTS * SLOTS * 0.98);
  const fillSeconds = (performance.now() - submitting) / 1000;
  const filled = await passes();
  note(`counting for ${SECONDS} s`);
  await sleep(5000);

  const from = {
    at: performance.now(),
    passes: await passes(),
    cpu: processorTime(coordinator),
    childCpu: childrenCpu(),
    seq: farm.events.lastSeq,
  };
  await tell({ kind: 'count' });
  await sleep(SECONDS * 1000);
  const answers = await tell({ kind: 'tell' });
  const seconds = (performance.now() - from.at) / 1000;
  const cpu = processorTime(coordinator) - from.cpu;
  const childCpu = childrenCpu() - from.childCpu;
  const seq = farm.events.lastSeq - from.seq;
  const answered = answers.flatMap((answer) => (answer.kind === 'counted' ? answer.answered : []));
  print({
    answered,
    seconds,
    cpu,
    childCpu,
    seq,
    connectSeconds,
    fillSeconds,
    steady: difference(await passes(), from.passes),
    fill: difference(filled, before),
  });
  row('coordinator, most memory it ever had', megabytes(peakMemory(coordinator)), '< 512 MB');
}

interface Measured {
  readonly answered: readonly Answered[];
  readonly seconds: number;
  readonly cpu: number;
  readonly childCpu: number;
  /** How far the watcher of the event stream came. */
  readonly seq: number;
  readonly connectSeconds: number;
  readonly fillSeconds: number;
  readonly steady: Passes;
  readonly fill: Passes;
}

function print(measured: Measured): void {
  const { answered, seconds, cpu, childCpu, seq, connectSeconds, fillSeconds, steady, fill } = measured;
  const taken = answered.reduce((sum, { events }) => sum + events, 0);
  const times = answered.map(({ ms }) => ms);
  head(
    `(b) ${AGENTS} agents x ${SLOTS} slots, ${WAITING} jobs waiting behind those that run, ${REUSE ? 'reuse' : 'no reuse'}, ${DATABASE}, ${seconds.toFixed(0)} s`,
  );
  row('a scheduling pass, mean', ms((steady.seconds * 1000) / steady.count), '< 500 ms');
  row('  the slowest was under', steady.slowest, '< 500 ms');
  row('  passes in that time', String(steady.count));
  row(
    `events of agents taken per second, ${EVENTS_PER_SECOND} offered`,
    (taken / seconds).toFixed(0),
    '>= 500',
  );
  row('  calls they came in, per second', (times.length / seconds).toFixed(0));
  row('a call with reports, p50', ms(percentile(times, 0.5)));
  row('a call with reports, p99', ms(percentile(times, 0.99)), '< 250 ms');
  row('events that a watcher got, per second', (seq / seconds).toFixed(0));
  row('processor time of the coordinator per second', ms((cpu * 1000) / seconds));
  row('  of the simulated agents', ms((childCpu * 1000) / seconds));
  row('all agents connect at once: until the last one is known', `${connectSeconds.toFixed(0)} s`);
  row('from the first submission until all slots are in use', `${fillSeconds.toFixed(0)} s`);
  row(
    `  passes meanwhile ${fill.count}, mean ${ms((fill.seconds * 1000) / fill.count)}, the slowest was under`,
    fill.slowest,
  );
}

/** Of the processes that simulate agents. */
function childrenCpu(): number {
  return children.reduce((sum, { pid = 0 }) => sum + processorTime(pid), 0);
}

async function startAgents(): Promise<void> {
  const { admin } = farm;
  const agents: { name: string; token: string }[] = [];
  for (let n = 0; n < AGENTS; n += 1) {
    const name = `agent${n}`;
    const enrolment = await admin.json<Enrolment>('POST', '/api/v1/agents/enrolments', { name });
    agents.push({ name, token: enrolment!.token });
  }
  const work = { slots: SLOTS, steps: STEPS, stepMs: STEP_MS };
  const share = Math.ceil(AGENTS / PROCESSES);
  const ready = Array.from({ length: PROCESSES }, async (_, n) => {
    const child = fork(join(import.meta.dirname, 'simulated-agents.js'));
    children.push(child);
    await ask(child, {
      kind: 'enrol',
      url: farm.url,
      work,
      agents: agents.slice(n * share, (n + 1) * share),
    });
  });
  await Promise.all(ready);
}

async function ask(child: ChildProcess, order: Order): Promise<Answer> {
  const answer = once(child, 'message');
  child.send(order);
  return ((await answer) as [Answer])[0];
}

async function tell(order: Order): Promise<readonly Answer[]> {
  return await Promise.all(children.map((child) => ask(child, order)));
}

/** Many users with many builds of many variants. Resolves to the number of builds. */
async function submitAll(): Promise<number> {
  const variants = Array.from(
    { length: VARIANTS },
    (_, n) => `<farm:variant name="v${n}"><farm:package add="package${n}"/></farm:variant>`,
  );
  const steps = Array.from({ length: STEPS }, (_, n) => ({ name: `step${n}` }));
  const scenario = farm.scenario(steps, { variants: `<farm:variants>${variants.join('')}</farm:variants>` });
  const builds = Math.ceil((WAITING + AGENTS * SLOTS) / VARIANTS);
  const clients = [];
  for (let n = 0; n < USERS; n += 1) {
    const token = await farm.token({ user: `user${n}`, role: 'submitter', rights: ['scripts'] });
    clients.push(new HttpClient({ url: farm.url, secret: token, ca: null, timeoutMs: 120_000 }));
  }
  await Promise.all(
    clients.map(async (client, n) => {
      // Each build has a time of its own: no two jobs are the same, so that all of them run and each is looked up for nothing.
      for (let at = n; at < builds; at += USERS)
        await client.json('POST', '/api/v1/builds', {
          ...scenario.submission,
          ...{ wait: true, reuse: REUSE, sourceDateEpoch: at },
        });
      client.close();
    }),
  );
  return builds;
}

/** Resolves when so many attempts have begun. */
async function running(count: number): Promise<void> {
  let seen = 0;
  let started = 0;
  while (started < count) {
    await farm.events.more(seen);
    const { all } = farm.events;
    for (; seen < all.length; seen += 1) if (all[seen]?.type === 'job-started') started += 1;
  }
}

interface Passes {
  readonly count: number;
  readonly seconds: number;
  /** Passes at most so long, by upper bound in seconds. */
  readonly buckets: ReadonlyMap<string, number>;
  readonly slowest: string;
}

async function passes(): Promise<Passes> {
  const text = (await farm.bytes('/metrics')).toString();
  const value = (name: string): number => Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1] ?? NaN);
  const buckets = [...text.matchAll(new RegExp(`^${PASS}_bucket\\{le="([^"]+)"\\} (.+)$`, 'gm'))];
  return {
    count: value(`${PASS}_count`),
    seconds: value(`${PASS}_sum`),
    buckets: new Map(buckets.map(([, bound, count]) => [bound ?? '', Number(count)])),
    slowest: '',
  };
}

function difference(after: Passes, before: Passes): Passes {
  const count = after.count - before.count;
  const buckets = new Map(
    [...after.buckets].map(([bound, n]) => [bound, n - (before.buckets.get(bound) ?? 0)]),
  );
  const bound = [...buckets].find(([, n]) => n === count)?.[0] ?? '?';
  const slowest = bound === '+Inf' ? 'longer than 10 s' : ms(Number(bound) * 1000);
  return { count, seconds: after.seconds - before.seconds, buckets, slowest };
}
