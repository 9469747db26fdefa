/** Breaks a farm on purpose, and looks whether it keeps its promises. See docs/operations.md. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { INVARIANTS, type Violation } from './check-history.js';
import { ChaosFarm } from './chaos-farm.js';
import { FAULTS } from './faults.js';
import { planMix } from './plan-mix.js';
import { Random } from './random.js';
import { buildUndisturbed, faultNamed, runMix } from './run-mix.js';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    faults: { type: 'string' },
    list: { type: 'boolean', default: false },
    database: { type: 'string', default: 'sqlite' },
  },
});

function sayViolations(violations: readonly Violation[]): void {
  for (const { invariant, text, build } of violations)
    console.log(`  invariant ${invariant} (${INVARIANTS[invariant].title}): ${build ?? 'farm'}: ${text}`);
}

async function main(): Promise<number> {
  if (values.list) {
    for (const { name, group } of FAULTS) console.log(`${group.padEnd(12)} ${name}`);
    return 0;
  }
  const names = values.faults?.split(',') ?? FAULTS.map(({ name }) => name);
  names.forEach(faultNamed);
  console.log(`seed ${values.seed}`);
  const folder = await mkdtemp(join(tmpdir(), 'chaos-'));
  const chaos = await ChaosFarm.open({ folder, database: values.database as 'sqlite', hosts: 3 });
  try {
    const undisturbed = await buildUndisturbed(chaos);
    const random = new Random(values.seed);
    for (let run = 1; run <= Number(values.runs); run += 1) {
      const mix = planMix(random.fork(run), names, { builds: 2, faults: 3, withinMs: 6_000 });
      const { violations } = await runMix(chaos, mix, undisturbed);
      console.log(
        `run ${run}: ${mix.faults.map(({ fault }) => fault).join(', ')}: ${violations.length} violations`,
      );
      sayViolations(violations);
      if (violations.length > 0) return 1;
    }
    return 0;
  } finally {
    await chaos.close();
    await rm(folder, { recursive: true });
  }
}

process.exitCode = await main();
