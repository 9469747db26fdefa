/** Goes through schedules of a simulated farm, on all processors. Exits 1, with the shortest schedule found, when a promise is broken. */
import fc from 'fast-check';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { anySchedule } from './schedule.js';
import { World } from './world.js';

interface Share {
  readonly runs: number;
  readonly seed: number;
}
interface Outcome {
  readonly events: number;
  /** What fast-check says of it: seed, schedule, violation. */
  readonly violation: string | null;
}

const USAGE = `simulate: --runs N   schedules (default 50000)
          --seed S   the same ones as another time`;

/** Most of what a schedule makes is garbage by its end: in a small nursery it would be carried along. */
const NURSERY_MB = 64;

function runShare({ runs, seed }: Share): Outcome {
  let events = 0;
  const property = fc.property(anySchedule, (schedule) => {
    const world = new World(schedule);
    world.run();
    events += world.events;
  });
  const details = fc.check(property, { numRuns: runs, seed });
  return { events, violation: details.failed ? (fc.defaultReportMessage(details) ?? 'failed') : null };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '50000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
      help: { type: 'boolean', default: false },
    },
  });
  const [runs, seed] = [Number(values.runs), Number(values.seed)];
  if (values.help || !Number.isInteger(runs) || runs < 1 || !Number.isInteger(seed)) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const threads = availableParallelism();
  const from = performance.now();
  const outcomes = await Promise.all(
    Array.from({ length: threads }, async (_, at): Promise<Outcome> => {
      const share: Share = { runs: Math.ceil(runs / threads), seed: seed + at };
      const resourceLimits = { maxYoungGenerationSizeMb: NURSERY_MB };
      const worker = new Worker(new URL(import.meta.url), { workerData: share, resourceLimits });
      const [outcome] = (await once(worker, 'message')) as [Outcome];
      return outcome;
    }),
  );
  const seconds = (performance.now() - from) / 1000;
  const done = Math.ceil(runs / threads) * threads;
  const events = outcomes.reduce((sum, each) => sum + each.events, 0);
  const rate = `${Math.round(done / seconds)} a second on ${threads} processors`;
  const violations = outcomes.flatMap(({ violation }) => violation ?? []);
  for (const violation of violations) console.log(violation);
  console.log(
    violations.length > 0
      ? `${violations.length} of ${threads} threads found a violation; again with --seed ${seed} --runs ${runs}`
      : `${done} schedules of ${Math.round(events / done)} events, ${rate}: all promises kept (seed ${seed})`,
  );
  return violations.length > 0 ? 1 : 0;
}

if (isMainThread) process.exitCode = await main();
else parentPort?.postMessage(runShare(workerData as Share));
