/**
 * (c) What becomes of 1,000 variants of 20 steps, asked over HTTP of a farm that knows 100,000 checkpoints, on SQLite: a tenth of them are states of an earlier build
 * of the same variants. DISTROFARM_BENCH_NODE_OPTIONS is NODE_OPTIONS of the coordinator.
 */
import type { AgentId, BuildId, PlanPreview, SubmitBuild } from '#libs/contracts';
import { openDatabase, type FarmDatabase } from '#libs/store';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { aBuild, anAgent } from '../../test/support/store-rows.js';
import { TestFarm } from '../../test/support/test-farm.js';
import { forgetPeak, head, megabytes, ms, peakMemory, percentile, row } from '../figures.js';

const AXES = 3;
const VALUES = 10;
const STEPS = 20;
const CHECKPOINTS = 100_000;
const AGENTS = 10;
const TRIES = 5;
const MATRIX = Object.fromEntries(axes().map((name) => [name, []]));

const note = (text: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);

const farm = await TestFarm.start({
  database: 'sqlite',
  agents: 0,
  env: { NODE_OPTIONS: process.env['DISTROFARM_BENCH_NODE_OPTIONS'] ?? '' },
});
try {
  const before = submission('as it was');
  note('submitting');
  await farm.call('POST', '/builds', { ...before, wait: true });
  note('making checkpoints known');
  const database = await openDatabase({ kind: 'sqlite', path: join(farm.folder, 'coordinator/farm.db') });
  await makeKnown(database);
  await database.close();
  head(
    `(c) ${VALUES ** AXES} variants of ${STEPS} steps planned against ${CHECKPOINTS.toLocaleString('en')} checkpoints, SQLite`,
  );
  await measure('nothing has changed', before);
  await measure('a step in the middle has changed', submission('as it is now'));
} finally {
  await farm.stop();
}

async function measure(what: string, body: SubmitBuild): Promise<void> {
  const times: number[] = [];
  let preview: PlanPreview | null = null;
  const { pid } = farm.coordinators[0]!;
  await farm.call('POST', '/builds/plan', body);
  forgetPeak(pid);
  for (let turn = 0; turn < TRIES; turn += 1) {
    const from = performance.now();
    preview = await farm.call<PlanPreview>('POST', '/builds/plan', body);
    times.push(performance.now() - from);
  }
  const steps = preview!.variants.flatMap(({ jobs }) => jobs.flatMap((job) => job.steps));
  const share = (fate: string): number => steps.filter((step) => step.fate === fate).length;
  row(`${what}: from the request to the answer, median of ${TRIES}`, ms(percentile(times, 0.5)), '< 2000 ms');
  row('  the slowest', ms(Math.max(...times)), '< 2000 ms');
  row(
    '  steps that run / are shared / are reused',
    `${share('runs')} / ${share('shared')} / ${share('reused')}`,
  );
  row('  most memory of the coordinator meanwhile, all of it', megabytes(peakMemory(pid)), '< 300 MB');
}

function axes(): readonly string[] {
  return Array.from({ length: AXES }, (_, n) => `axis${n}`);
}

/** Each axis changes what a later step reads: a trie that parts three times. */
function submission(middle: string): SubmitBuild {
  const steps = Array.from({ length: STEPS }, (_, n) => ({
    name: `step${n}`,
    reads: axes()
      .flatMap((name, at) => (n >= readAt(at) ? [`key_value_pairs/pair[key="${name}"]/value`] : []))
      .join(' '),
    body: n === STEPS / 2 ? `: ${middle}` : '',
  }));
  const values = (name: string): string =>
    Array.from(
      { length: VALUES },
      (_, n) =>
        `<farm:value name="v${n}"><farm:set path='key_value_pairs/pair[key="${name}"]/value' value="${n}"/></farm:value>`,
    ).join('');
  const variants = axes().map((name) => `<farm:axis name="${name}">${values(name)}</farm:axis>`);
  const pairs = axes().map((name) => `<pair key="${name}" value="none"/>`);
  const scenario = farm.scenarioIn(join(farm.folder, 'planned'), steps, {
    variants: `<key_value_pairs>${pairs.join('')}</key_value_pairs><farm:variants>${variants.join('')}</farm:variants>`,
  });
  return { ...scenario.submission, matrix: MATRIX, reuse: true };
}

/** Of the axis: 5, 10, 15. */
function readAt(axis: number): number {
  return ((axis + 1) * STEPS) / (AXES + 1);
}

/** A tenth has keys of the build that was submitted, the rest of others that nobody has. */
async function makeKnown({ db }: FarmDatabase): Promise<void> {
  const keys = await db.selectFrom('boundary_keys').select('key').distinct().execute();
  const agents: AgentId[] = [];
  for (let n = 0; n < AGENTS; n += 1) agents.push((await anAgent(db, `mill${n}`)).id);
  const builds: BuildId[] = [];
  for (let n = 0; n < CHECKPOINTS / 1000; n += 1) builds.push(await aBuild(db, 'succeeded'));
  await db.updateTable('builds').set({ trusted: 1 }).execute();
  for (let from = 0; from < CHECKPOINTS; from += 500)
    await db
      .insertInto('checkpoints')
      .values(
        Array.from({ length: 500 }, (_, at) => ({
          agent_id: agents[(from + at) % AGENTS]!,
          id: `checkpoint${from + at}`,
          build_id: builds[Math.floor((from + at) / 1000)]!,
          variant: `v${Math.floor((from + at) / STEPS) % 50}`,
          lineage: 'j',
          workspace: 'build_data',
          label: `.step_step${(from + at) % STEPS}`,
          taken_at: from + at,
          previous: '',
          begins: 1,
          key: (at % 10 === 0 ? keys[(from + at) / 10]?.key : undefined) ?? randomBytes(32).toString('hex'),
        })),
      )
      .execute();
}
