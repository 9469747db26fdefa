/**
 * (d) A log of 200 MB in the page, in parts hostile (lines of a megabyte, escape sequences, text that goes both ways, NUL, bytes that are no text): how long the main
 * thread is held up when it is opened, scrolled, searched from end to end, and followed while a step writes on.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { plantLargeLog, writeLargeLog } from '../../test/support/large-log.js';
import { TestFarm } from '../../test/support/test-farm.js';
import { head, megabytes, ms, percentile, row } from '../figures.js';
import { longestTask, MeasuredPage } from './measured-page.js';

const LOG_BYTES = 200 * 1024 ** 2;
const SCROLL_MS = 10_000;
const FOLLOW_MS = 10_000;

const note = (text: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);

const farm = await TestFarm.start({
  database: 'sqlite',
  agents: 1,
  env: { DISTROFARM_MAX_LOG_MB: '1000' },
});
try {
  const measured = await MeasuredPage.start(farm.adminToken);
  try {
    await bench(measured);
  } finally {
    await measured.stop();
  }
} finally {
  await farm.stop();
}

async function bench(measured: MeasuredPage): Promise<void> {
  note('a log of 200 MB');
  const { build, attempt, lines } = await loggedBuild();
  const { page } = measured;
  const option = (text: string | RegExp) => page.getByRole('option').filter({ hasText: text });
  const last = new RegExp(`line ${lines - 1} of many`);

  const opened = performance.now();
  await page.goto(`${farm.url}/builds/${build}/log/${attempt}`);
  await option(last).waitFor();
  const openMs = performance.now() - opened;
  const opening = longestTask(await measured.seen());

  note('scrolling');
  await measured.forget();
  await page.getByRole('listbox').hover();
  await measured.profiled('log-scrolling', async () => {
    const until = performance.now() + SCROLL_MS;
    for (let turn = 0; performance.now() < until; turn += 1) {
      await page.mouse.wheel(0, turn % 150 < 100 ? -600 : 600);
      await sleep(40);
    }
  });
  const scrolling = await measured.seen();

  note('leaping');
  await measured.forget();
  await measured.profiled('log-leaping', async () => {
    for (const share of [0.1, 0.9, 0.5, 0.3, 0.7]) {
      await page
        .getByLabel('Position in the log')
        .fill(String(Math.floor((share * LOG_BYTES) / 1000) * 1000));
      await sleep(1000);
    }
  });
  const leaping = longestTask(await measured.seen());

  note('searching');
  await measured.forget();
  await page.getByRole('listbox').press('Home');
  await option(/line 0 of many/).waitFor();
  await page.getByRole('searchbox').fill(`line ${lines - 500} of many`);
  const searched = performance.now();
  await measured.profiled('log-searching', async () => {
    await page.getByRole('button', { name: 'Next' }).click();
    await page
      .getByRole('option', { selected: true })
      .filter({ hasText: `line ${lines - 500} ` })
      .waitFor();
  });
  const searchMs = performance.now() - searched;
  const searching = longestTask(await measured.seen());
  const memory = await measured.memory();

  note('following a step that writes as fast as it can');
  const script = join(farm.folder, 'written');
  await writeLargeLog(script, LOG_BYTES);
  const loud = farm.scenario([
    {
      name: 'loud',
      body: `cat '${script}'; touch "$S/all.waits"; until [ -e "$S/stop" ]; do date +%s%N; sleep 0.02; done`,
    },
  ]);
  const second = await farm.submit(loud);
  const running = await farm.buildThat(second, ({ jobs }) => (jobs[0]?.attempts.length ?? 0) > 0);
  await measured.forget();
  await page.goto(`${farm.url}/builds/${second}/log/${running.jobs[0]?.attempts[0]?.id ?? ''}`);
  await measured.profiled('log-following', async () => {
    await loud.reached('all');
    await sleep(FOLLOW_MS);
  });
  const following = longestTask(await measured.seen());
  // The newest line says when it was written.
  const ages: number[] = [];
  for (let turn = 0; turn < 100; turn += 1) {
    ages.push(
      await page.evaluate<number>(`(() => {
        const last = [...document.querySelectorAll('.log-line .log-text')].at(-1)?.textContent ?? '';
        return Date.now() - Number(last) / 1e6;
      })()`),
    );
    await sleep(50);
  }
  await loud.open('stop');

  head(`(d) a log of ${Math.round(LOG_BYTES / 1024 ** 2)} MB in the page`);
  row('opening it at its end: until the last line is shown', ms(openMs));
  row('  longest task', opening, '< 100 ms');
  row(`scrolling for ${SCROLL_MS / 1000} s: longest task`, longestTask(scrolling), '< 100 ms');
  row('  between two frames, p95', ms(percentile(scrolling.frames, 0.95)));
  row('leaping to five places: longest task', leaping, '< 100 ms');
  row('searching all of it for a line near the end', ms(searchMs));
  row('  longest task', searching, '< 100 ms');
  row('memory of the script then', megabytes(memory));
  row('following a step that writes it, and then 50 lines a second: longest task', following, '< 100 ms');
  row('  age of the newest line that is shown, p95', ms(percentile(ages, 0.95)));
}

async function loggedBuild() {
  const build = await farm.submit(farm.scenario([{ name: 'loud' }]));
  const attempt = (await farm.atRest(build)).jobs[0]!.attempts[0]!.id;
  return { build, attempt, ...(await plantLargeLog(farm, attempt, LOG_BYTES)) };
}
