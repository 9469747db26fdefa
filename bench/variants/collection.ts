/**
 * (d) A step that notes the time every few milliseconds, in its workspace, while its agent drops 1,000 checkpoints of another build. On folders; on ZFS where DC_TEST_POOL
 * names a pool. The coordinator's record is told what to drop, as retention would.
 */
import { openDatabase, type FarmDatabase } from '#libs/store';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestFarm } from '../../test/support/test-farm.js';
import { head, ms, percentile, row } from '../figures.js';

const VARIANTS = 50;
const STEPS = 20;
const TICK_MS = 5;
/** How long the step is looked at when nothing else happens. */
const QUIET_MS = 20_000;

const pool = process.env['DC_TEST_POOL'] ?? '';
const settings = pool === '' ? {} : { DISTROFARM_AGENT_STORE: `${pool}/agent` };
const note = (text: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);

const farm = await TestFarm.start({ database: 'sqlite', agents: 0 });
try {
  await farm.addAgent(settings);
  const database = await openDatabase({ kind: 'sqlite', path: join(farm.folder, 'coordinator/farm.db') });
  try {
    await bench(database);
  } finally {
    await database.close();
  }
} finally {
  await farm.stop();
}

async function bench(database: FarmDatabase): Promise<void> {
  note(`${VARIANTS * STEPS} checkpoints`);
  const old = await farm.submit(manySteps());
  await farm.atRest(old);
  const areas = Array.from({ length: VARIANTS }, (_, n) => `${old}.v${n}`);
  const held = await count(database);

  const ticking = farm.scenario([{ name: 'tick', body: tickUntilStopped() }]);
  const build = await farm.submit(ticking);
  await ticking.reached('ticks');
  note('ticking, by itself');
  await sleep(1000);
  const quiet = { from: Date.now(), to: Date.now() + QUIET_MS };
  await sleep(QUIET_MS);
  note('dropping');
  const from = Date.now();
  await database.db.updateTable('agents').set({ dropping: JSON.stringify(areas) }).execute();
  while ((await count(database)) > 1) await sleep(200);
  const dropping = { from, to: Date.now() };
  await ticking.open('stop');
  await farm.atRest(build);

  const ticks = (await readFile(join(ticking.folder, 'noted'), 'utf8')).trim().split('\n').map(Number);
  head(`(d) a step beside the collection of ${held} checkpoints, ${pool === '' ? 'folders' : 'ZFS'}`);
  row('from the order until all are gone', `${((dropping.to - dropping.from) / 1000).toFixed(1)} s`);
  const alone = gaps(ticks, quiet);
  const beside = gaps(ticks, dropping);
  row(`longest time between two notes, one each ${TICK_MS} ms, by itself`, ms(Math.max(...alone)));
  row('  while checkpoints go', ms(Math.max(...beside)), '< 100 ms');
  row('p99.9 by itself', ms(percentile(alone, 0.999)));
  row('  while checkpoints go', ms(percentile(beside, 0.999)));
}

/** What each leaves in the workspace is a file of its own, so that no two checkpoints are the same. */
function manySteps() {
  const steps = Array.from({ length: STEPS }, (_, n) => ({
    name: `step${n}`,
    body: `head -c 20000 /dev/urandom > "$2/file${n}"`,
  }));
  const variants = Array.from({ length: VARIANTS }, (_, n) => `<farm:variant name="v${n}"/>`);
  return farm.scenario(steps, { variants: `<farm:variants>${variants.join('')}</farm:variants>` });
}

/** Each note is written into the workspace first, so that a store that lets nobody write shows, too. */
function tickUntilStopped(): string {
  return `touch "$S/ticks.waits"
perl -MTime::HiRes=time,sleep -e '
  my ($workspace, $folder) = @ARGV;
  open my $inside, ">", "$workspace/ticks" or die $!;
  open my $noted, ">", "$folder/noted" or die $!;
  $_->autoflush(1) for $inside, $noted;
  until (-e "$folder/stop") {
    my $now = sprintf "%.1f\\n", time * 1000;
    print {$inside} $now;
    print {$noted} $now;
    sleep ${TICK_MS / 1000};
  }
' "$2" "$S"`;
}

async function count({ db }: FarmDatabase): Promise<number> {
  const { n } = await db
    .selectFrom('checkpoints')
    .select(({ fn }) => fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  return n;
}

function gaps(ticks: readonly number[], { from, to }: { from: number; to: number }): readonly number[] {
  const within = ticks.filter((at) => at >= from && at <= to);
  return within.slice(1).map((at, index) => at - within[index]!);
}
