/** Breaks a farm on purpose, and looks whether it keeps its promises. See docs/operations.md. Exits 1 when an invariant is violated. */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { certificateOf, certificateTable, type Round } from './certificate.js';
import { ChaosFarm, type ChaosFarmOptions } from './chaos-farm.js';
import { INVARIANTS } from './check-history.js';
import type { Undisturbed } from './collect-evidence.js';
import type { Violation } from './invariants/evidence.js';
import { FAULTS, type Fault } from './faults.js';
import { findLeftInTheEnd } from './find-left.js';
import { withoutRepeats, type Operation } from './history.js';
import { killList, killTable, missedPlaces } from './kill-table.js';
import { planMix, type Mix } from './plan-mix.js';
import { Random } from './random.js';
import { runKills } from './run-kills.js';
import { buildUndisturbed, faultNamed, runMix, type MixResult } from './run-mix.js';
import { shrink } from './shrink.js';

const USAGE = `chaos: --runs N      mixes of faults, one behind the other (default 10)
       --seed S      the same mixes as another time
       --faults a,b  only these; --list says which there are
       --alone       each fault alone first
       --kills       agents and coordinator are killed once at every place that they come to
       --certify     that, and so many faults that a table of them means something (--least N, default 500)
       --database sqlite|postgres   --store directory|zfs (the latter inside scripts/with-zfs.sh)
       --keep folder put history, events and truth log there`;

const HOSTS = 3;
const MIX = { builds: 3, faults: 4, withinMs: 6_000 };
const ALONE = { builds: 2, faults: 1, withinMs: 1_500 };
const ROUND = { builds: 18, faults: 44, withinMs: 88_000 };

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    faults: { type: 'string' },
    alone: { type: 'boolean', default: false },
    kills: { type: 'boolean', default: false },
    certify: { type: 'boolean', default: false },
    least: { type: 'string', default: '500' },
    list: { type: 'boolean', default: false },
    keep: { type: 'string' },
    help: { type: 'boolean', default: false },
    database: { type: 'string', default: 'sqlite' },
    store: { type: 'string', default: 'directory' },
  },
});

const canBe = ({ needs }: Fault): boolean => needs === undefined || needs === values.database;
const names = values.faults?.split(',') ?? FAULTS.filter(canBe).map(({ name }) => name);

type Farmed<T> = (chaos: ChaosFarm, undisturbed: Undisturbed) => Promise<T>;

async function withFarm<T>(work: Farmed<T>, more: Partial<ChaosFarmOptions> = {}): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'chaos-'));
  const { database, store } = values as Pick<ChaosFarmOptions, 'database' | 'store'>;
  const chaos = await ChaosFarm.open({ folder, hosts: HOSTS, database, store, ...more });
  try {
    return await work(chaos, await buildUndisturbed(chaos));
  } finally {
    await writeFile(
      join(folder, 'events.jsonl'),
      chaos.farm.events.all.map((event) => `${JSON.stringify(event)}\n`),
    );
    await chaos.close();
    if (values.keep !== undefined) await cp(folder, values.keep, { recursive: true });
    await rm(folder, { recursive: true });
  }
}

function say(what: string, mix: Mix, { violations }: MixResult): void {
  const faults = mix.faults.map(({ fault }) => fault).join(', ');
  console.log(`${what}: ${mix.builds} builds; ${faults}: ${violations.length} violations`);
  sayViolations(violations);
}

function sayViolations(violations: readonly Violation[]): void {
  for (const { invariant, text, build } of violations)
    console.log(`  invariant ${invariant} (${INVARIANTS[invariant].title}): ${build ?? 'farm'}: ${text}`);
}

function sayOperation({ at, name, phase, build, data }: Operation, from: number): void {
  const ms = String(Math.round(at - from)).padStart(8);
  console.log(`${ms} ms  ${name} ${phase}${build === null ? '' : ` ${build}`} ${JSON.stringify(data)}`);
}

/** Each time with a farm that nothing has happened to. */
async function sayShortest(mix: Mix, result: MixResult): Promise<void> {
  let shortest = result;
  const least = await shrink(mix.faults, async (faults) => {
    const fewer = await withFarm(
      async (chaos, undisturbed) => await runMix(chaos, { ...mix, faults }, undisturbed),
    );
    say('again with less', { ...mix, faults }, fewer);
    if (fewer.violations.length === 0) return false;
    shortest = fewer;
    return true;
  });
  console.log(`seed ${values.seed}: the shortest that fails: ${least.map(({ fault }) => fault).join(', ')}`);
  sayViolations(shortest.violations);
  const from = shortest.operations[0]?.at ?? 0;
  for (const operation of withoutRepeats(shortest.operations)) sayOperation(operation, from);
}

async function leftInTheEnd(chaos: ChaosFarm): Promise<readonly Violation[]> {
  const left = await findLeftInTheEnd(chaos);
  const violations = left.map((text): Violation => ({ invariant: 9, text, build: null }));
  console.log(`in the end: ${violations.length} violations`);
  sayViolations(violations);
  return violations;
}

function plannedMixes(random: Random): readonly Mix[] {
  const alone = values.alone ? names.map((name) => planMix(random.fork(name), [name], ALONE)) : [];
  const mixes = Array.from({ length: Number(values.runs) }, (_, run) =>
    planMix(random.fork(run), names, MIX),
  );
  return [...alone, ...mixes];
}

async function run(random: Random): Promise<number> {
  let left: readonly Violation[] = [];
  const failed = await withFarm(async (chaos, undisturbed) => {
    for (const [index, mix] of plannedMixes(random).entries()) {
      const result = await runMix(chaos, mix, undisturbed);
      say(`run ${index + 1}`, mix, result);
      if (result.violations.length > 0) return { mix, result };
    }
    left = await leftInTheEnd(chaos);
    return null;
  });
  if (failed === null) return left.length === 0 ? 0 : 1;
  console.log(`failed; seed ${values.seed}`);
  await sayShortest(failed.mix, failed.result);
  return 1;
}

/** Resolves to whether all is well. */
async function kill(): Promise<boolean> {
  return await withFarm(
    async (chaos, undisturbed) => {
      let isWell = true;
      for (const program of ['agent', 'coordinator'] as const) {
        const result = await runKills(chaos, program, `${values.seed}/${program}`, undisturbed);
        const missed =
          program === 'agent' ? missedPlaces(result.outcomes.map((outcome) => outcome.kill)) : [];
        console.log(`\n${killList(result.outcomes)}\n\n${killTable(result.outcomes)}\n`);
        console.log(
          `${program}: killed at ${result.outcomes.length} places, ${result.builds} builds, of which a person helped ${result.helped}, ${result.violations.length} violations`,
        );
        sayViolations(result.violations);
        for (const place of missed) console.log(`  nobody was killed ${place}`);
        if (!result.isComplete) console.log('  there were still places left');
        isWell &&= result.violations.length === 0 && missed.length === 0 && result.isComplete;
      }
      return (await leftInTheEnd(chaos)).length === 0 && isWell;
    },
    { killAtPlaces: true },
  );
}

async function certify(random: Random): Promise<number> {
  const isKilledWell = await kill();
  const rounds: Round[] = [];
  await withFarm(async (chaos, undisturbed) => {
    for (let injected = 0; injected < Number(values.least); injected += ROUND.faults) {
      const mix = planMix(random.fork(injected), names, ROUND);
      const result = await runMix(chaos, mix, undisturbed);
      say(`round ${rounds.length + 1}`, mix, result);
      rounds.push({ ...result, builds: mix.builds });
    }
    rounds.push({ injected: [], violations: await leftInTheEnd(chaos), builds: 0 });
  });
  const certificate = certificateOf(names, rounds);
  console.log(`\n${certificateTable(certificate)}\n\nseed ${values.seed}`);
  return certificate.violations === 0 && isKilledWell ? 0 : 1;
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.list) {
    for (const { name, group } of FAULTS) console.log(`${group.padEnd(12)} ${name}`);
    return 0;
  }
  names.forEach(faultNamed);
  console.log(`seed ${values.seed}`);
  const random = new Random(values.seed);
  if (values.kills) return (await kill()) ? 0 : 1;
  return values.certify ? await certify(random) : await run(random);
}

// Farms are stopped by now; whatever of the harness still waits for one must not keep this process.
process.exit(await main());
