/**
 * (b) A build of 1,000 variants of 20 steps, which simulated agents change by 500 events a second while somebody looks at it and scrolls: how long the page's main
 * thread is held up, and what it needs. (c) How long it takes from when an agent notes that a step began or ended until the page shows it, on that build, and on a
 * small one while nothing else goes on. All on one machine, by one clock.
 *
 * DISTROFARM_BENCH_PROFILE=folder keeps CPU profiles of the page.
 */
import type { BuildDetail, BuildId, Enrolment, SubmittedBuild } from '#libs/contracts';
import { HttpClient } from '#libs/http-client';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestFarm } from '../../test/support/test-farm.js';
import type { Answer, Order } from '../farm/simulated-agents.js';
import { head, megabytes, ms, percentile, processorTime, row } from '../figures.js';
import { longestTask, MeasuredPage, type Seen } from './measured-page.js';

const AXES = 3;
const VALUES = 10;
const VARIANTS = VALUES ** AXES;
const STEPS = 20;
const AGENTS = 50;
const SLOTS = 4;
/** `step-started`, `step-ended`, `checkpoint-taken`. */
const EVENTS_PER_STEP = 3;
const EVENTS_PER_SECOND = 500;
/** A little faster than asked for: attempts that begin and end take time, too. */
const STEP_MS = (AGENTS * SLOTS * EVENTS_PER_STEP * 1000) / (EVENTS_PER_SECOND * 1.04);
const SCROLL_MS = 20_000;
const REST_MS = 20_000;

const note = (text: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);

/** When the page showed what, by `variant, step: state`. */
type Shown = Readonly<Record<string, number>>;

/** One of its requests for what became of the build. */
interface Asked {
  readonly ms: number;
  readonly bytes: number;
}

/** Notes after the frame that shows it. Rows that are scrolled in later are seen late: it is only asked where nobody scrolls. */
const WATCH_CELLS = `
  window.shown = {};
  const note = () => {
    const news = [];
    for (const { title } of document.querySelectorAll('.grid-cell .step')) {
      const name = /^[^,]+, [^:]+: (running|done)/.exec(title)?.[0];
      if (name !== undefined && shown[name] === undefined) news.push(name);
    }
    if (news.length > 0) requestAnimationFrame(() => setTimeout(() => {
      for (const name of news) shown[name] ??= Date.now();
    }));
  };
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ['title'] });
  for (const { title } of document.querySelectorAll('.grid-cell .step')) {
    const name = /^[^,]+, [^:]+: (running|done)/.exec(title)?.[0];
    if (name !== undefined) shown[name] = 0;
  }
`;

const farm = await TestFarm.start({ database: 'sqlite', agents: 0 });
const child = fork(join(import.meta.dirname, '../farm/simulated-agents.js'));
try {
  const measured = await MeasuredPage.start(farm.adminToken);
  try {
    await bench(measured);
  } finally {
    await measured.stop();
  }
} finally {
  child.kill();
  await farm.stop();
}

async function bench(measured: MeasuredPage): Promise<void> {
  note(`${AGENTS} agents`);
  const agents = [];
  for (let n = 0; n < AGENTS; n += 1) {
    const name = `agent${n}`;
    agents.push({ name, token: (await farm.call<Enrolment>('POST', '/agents/enrolments', { name })).token });
  }
  const work = { slots: SLOTS, steps: STEPS, stepMs: STEP_MS };
  await tell(child, { kind: 'enrol', url: farm.url, work, agents });
  await tell(child, { kind: 'connect' });

  note('a small build by itself');
  const quiet = await latencies(measured, await submit(1), 15_000);

  note(`${VARIANTS} variants`);
  const build = await submit(VALUES);
  // Not by looking at the build: that is what is measured.
  await farm.events.until(
    ({ type, data }) => type === 'step-ended' && data['index'] === 2,
    farm.events.lastSeq,
  );
  const { page } = measured;
  const opened = performance.now();
  await page.goto(`${farm.url}/builds/${build}`);
  await page.getByRole('grid').waitFor();
  const openMs = performance.now() - opened;
  const opening = await measured.seen();
  await sleep(3000);

  note('scrolling');
  await measured.forget();
  const from = { at: performance.now(), seq: farm.events.lastSeq, cpu: coordinatorTime() };
  await measured.profiled('scrolling', () => scroll(measured, SCROLL_MS));
  const scrolling = await measured.seen();

  note('looking on');
  await measured.forget();
  const busy = await measured.profiled('looking-on', () => latencies(measured, build, REST_MS));
  const resting = await measured.seen();
  const asked = await page.evaluate<readonly Asked[]>(
    `performance.getEntriesByType('resource').filter(({ name }) => name.includes('/changes?')).map(({ duration, decodedBodySize }) => ({ ms: duration, bytes: decodedBodySize }))`,
  );
  const seconds = (performance.now() - from.at) / 1000;
  const events = (farm.events.lastSeq - from.seq) / seconds;
  const cpu = (1000 * (coordinatorTime() - from.cpu)) / seconds;
  const memory = await measured.memory();

  head(`(b) a build of ${VARIANTS} variants of ${STEPS} steps in the page, by ${AGENTS} agents`);
  row('events of the farm per second meanwhile', events.toFixed(0), `>= ${EVENTS_PER_SECOND}`);
  row('opening it: until the matrix is shown', ms(openMs));
  row('  longest task', longestTask(opening), '< 100 ms');
  row(`scrolling for ${SCROLL_MS / 1000} s: longest task`, longestTask(scrolling), '< 100 ms');
  frames(scrolling);
  row(`looking on for ${REST_MS / 1000} s: longest task`, longestTask(resting), '< 100 ms');
  row(
    `  what it asked for meanwhile, ${asked.length} times: size, p50`,
    `${Math.round(
      percentile(
        asked.map(({ bytes }) => bytes),
        0.5,
      ) / 1000,
    )} kB`,
  );
  row(
    '    until it was there, p50',
    ms(
      percentile(
        asked.map((each) => each.ms),
        0.5,
      ),
    ),
  );
  row('memory of the script in the end', megabytes(memory));
  row('processor time of the coordinator per second', ms(cpu));
  head('(c) from the agent that notes the begin or end of a step to the page that shows it');
  row(`a small build, nothing else goes on: p50 of ${quiet.length}`, ms(percentile(quiet, 0.5)));
  row('  p95', ms(percentile(quiet, 0.95)), '< 500 ms');
  row(`the build above: p50 of ${busy.length}`, ms(percentile(busy, 0.5)));
  row('  p95', ms(percentile(busy, 0.95)), '< 500 ms');
}

function frames({ frames: between }: Seen): void {
  const spent = between.reduce((sum, each) => sum + each, 0);
  row('  frames per second', ((1000 * between.length) / spent).toFixed(0));
  row('  between two frames, p95', ms(percentile(between, 0.95)));
}

/** Down and up again by the wheel, a line of the mouse each 40 ms. */
async function scroll({ page }: MeasuredPage, forMs: number): Promise<void> {
  await page.getByRole('grid').hover();
  const until = performance.now() + forMs;
  for (let turn = 0; performance.now() < until; turn += 1) {
    await page.mouse.wheel(0, turn % 200 < 100 ? 240 : -240);
    await sleep(40);
  }
}

/** Looks at the build for so long, from anew, and resolves to how old each change was when it was shown. */
async function latencies({ page }: MeasuredPage, build: BuildId, forMs: number): Promise<readonly number[]> {
  await page.goto(`${farm.url}/builds/${build}`);
  await page.getByRole('grid').waitFor();
  await page.evaluate(WATCH_CELLS);
  await sleep(forMs);
  const shown = await page.evaluate<Shown>('shown');
  const { jobs } = await farm.call<BuildDetail>('GET', `/builds/${build}`);
  return jobs.flatMap(({ variant, steps }) =>
    steps.flatMap(({ name, startedAt, endedAt }) =>
      [
        [`${variant}, ${name}: running`, startedAt] as const,
        [`${variant}, ${name}: done`, endedAt] as const,
      ].flatMap(([what, at]) => {
        const seenAt = shown[what] ?? 0;
        return seenAt === 0 || at === null ? [] : [seenAt - at];
      }),
    ),
  );
}

/** So many to the power of the axes. Each variant is all its own: nothing of it is done for another one. */
async function submit(valuesPerAxis: number): Promise<BuildId> {
  const names = Array.from({ length: AXES }, (_, n) => `axis${n}`);
  const axes = names.map((name) => {
    const values = Array.from(
      { length: valuesPerAxis },
      (_, n) => `<farm:value name="v${n}"><farm:package add="${name}-package${n}"/></farm:value>`,
    );
    return `<farm:axis name="${name}">${values.join('')}</farm:axis>`;
  });
  const steps = Array.from({ length: STEPS }, (_, n) => ({ name: `step${n}` }));
  const { submission } = farm.scenario(steps, {
    variants: `<farm:variants>${axes.join('')}</farm:variants>`,
  });
  const matrix = Object.fromEntries(names.map((name) => [name, []]));
  // Beside other work a thousand variants may take their time.
  const client = new HttpClient({ url: farm.url, secret: farm.adminToken, ca: null, timeoutMs: 300_000 });
  const submitted = await client.json<SubmittedBuild>('POST', '/api/v1/builds', { ...submission, matrix });
  client.close();
  return submitted!.build.id;
}

function coordinatorTime(): number {
  return processorTime(farm.coordinators[0]!.pid);
}

async function tell(to: ChildProcess, order: Order): Promise<Answer> {
  const answer = once(to, 'message');
  to.send(order);
  return ((await answer) as [Answer])[0];
}
