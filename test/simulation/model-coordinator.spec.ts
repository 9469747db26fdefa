import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate, openDatabase } from '#libs/store';
import { ModelCoordinator } from './model-coordinator.js';
import { comparable, RealCoordinator } from './real-coordinator.js';
import { recordCalls, type Call } from './recording-coordinator.js';
import { RULES } from './rules.js';
import { anySchedule, nameOfAgent, type Schedule } from './schedule.js';
import { SHAPES, World } from './world.js';

const RUNS = Number(process.env['SIMULATION_COMPARED_RUNS'] ?? 12);
/** Each costs some ten queries. */
const MOST_CALLS = 250;

describe('the model of the coordinator', () => {
  it('answers and records as the real one does on SQLite', async () => {
    await fc.assert(
      fc.asyncProperty(anySchedule, async (schedule) => {
        await requireSame(schedule, callsOf(schedule).slice(0, MOST_CALLS));
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  });

  it('does so where a job is tried again that had come to its end', async () => {
    const kill = { kind: 'kill', at: 41_789, agent: 0, forMs: 48_980, losesTail: false } as const;
    const schedule = { shape: 1, agents: 3, noise: 0, seed: 550_333_198, faults: [kill] };
    const calls = callsOf(schedule).slice(0, MOST_CALLS);
    const firstJob = calls.map(({ record }) => record.find((row) => row.startsWith('"job" 0 '))!.split(' '));
    const ended = firstJob.findIndex(([, , , end]) => end !== 'null');
    expect(firstJob.slice(ended).map(([, , state]) => state)).toContain('"assigned"');
    await requireSame(schedule, calls);
  });
});

function callsOf(schedule: Schedule): readonly Call[] {
  const calls: Call[] = [];
  new World(schedule, RULES, (...args) => recordCalls(new ModelCoordinator(...args), calls)).run();
  return calls;
}

async function requireSame(schedule: Schedule, calls: readonly Call[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'distrofarm-model-'));
  const database = await openDatabase({ kind: 'sqlite', path: join(folder, 'farm.db'), driver: 'auto' });
  try {
    await migrate(database);
    const real = new RealCoordinator(database);
    const agents = Array.from({ length: schedule.agents }, (_, index) => nameOfAgent(index));
    await real.submit(SHAPES[schedule.shape]!, agents);
    for (const [number, call] of calls.entries()) {
      const about = { number, method: call.method, args: call.args };
      const answer = comparable(await real.answer(call));
      expect({ ...about, answer, record: await real.record() }).toEqual({
        ...about,
        answer: comparable(call.answer),
        record: call.record,
      });
    }
  } finally {
    await database.close();
    await rm(folder, { recursive: true });
  }
}
