/**
 * (a) Eight images of debian-family, which share all but the layers of packages and the steps of the media, by two agents on this machine, against one of them by the
 * same two, both from nothing and with all packages in a cache; (b) the same submission once more, of which nothing has changed. Takes five minutes.
 */
import { execa } from 'execa';
import { join } from 'node:path';
import type { PlanPreview } from '#libs/contracts';
import { INSTALLED } from '../../test/support/farm-process.js';
import { TestFarm } from '../../test/support/test-farm.js';
import { head, row } from '../figures.js';

const MANIFEST = join(INSTALLED, 'examples/debian-family.xml');
const CACHE = { DISTROFARM_AGENT_CACHE: '/var/cache/distrofarm' };
const EIGHT = ['--matrix', 'locale', '--matrix', 'edition'];
const ONE = ['--variant', 'locale-de.edition-rescue'];

const note = (text: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);

note('all eight, to fill the package cache');
await onNewFarm((farm) => submit(farm, EIGHT));
note('one, measured');
const one = await onNewFarm((farm) => submit(farm, ONE));
note('eight, measured, and once more');
await onNewFarm(async (farm) => {
  const { variants } = JSON.parse(await run(farm, ['plan', '--json', ...EIGHT])) as PlanPreview;
  const steps = variants.flatMap(({ jobs }) => jobs.flatMap((job) => job.steps));
  const running = steps.filter(({ fate }) => fate === 'runs').length;
  const eight = await submit(farm, EIGHT);
  const ran = started(farm);
  const again = await submit(farm, EIGHT);
  head('(a) eight images of debian-family by two agents, against one of them; (b) the eight once more');
  row('one, from the submission to the end', `${one.toFixed(1)} s`);
  row('eight', `${eight.toFixed(1)} s`);
  row('  ratio', (eight / one).toFixed(2), '<= 2.5');
  row('  steps that ran, of those of all eight', `${ran} of ${steps.length}`, String(running));
  row('once more, from the command to its exit', `${again.toFixed(1)} s`, '<= 3 s');
  row('  steps that ran', String(started(farm) - ran), '0');
});

/** Resolves to what the work does; nothing of it stays, but for the package cache. */
async function onNewFarm<T>(work: (farm: TestFarm) => Promise<T>): Promise<T> {
  // Whatever other work left to be written is written before the clock starts.
  await execa('sync');
  const farm = await TestFarm.start({ database: 'sqlite', agents: 0 });
  try {
    for (let agent = 0; agent < 2; agent += 1) await farm.addAgent(CACHE);
    return await work(farm);
  } finally {
    await farm.stop();
  }
}

/** Resolves to how many seconds the command took. */
async function submit(farm: TestFarm, variants: readonly string[]): Promise<number> {
  const from = performance.now();
  await run(farm, ['submit', '--watch', ...variants]);
  return (performance.now() - from) / 1000;
}

async function run(farm: TestFarm, words: readonly string[]): Promise<string> {
  const access = { DISTROFARM_URL: farm.url, DISTROFARM_TOKEN: farm.adminToken };
  const { stdout } = await execa(join(INSTALLED, 'bin/distrofarm'), [...words, '--reuse', MANIFEST], {
    env: { SOURCE_DATE_EPOCH: '1700000000', ...access },
  });
  return stdout;
}

/** Steps that have begun so far on this farm. */
function started(farm: TestFarm): number {
  return farm.events.all.filter(({ type }) => type === 'step-started').length;
}
