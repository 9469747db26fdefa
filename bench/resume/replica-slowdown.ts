/**
 * How much a step is slowed by the copying of the checkpoint in front of it to another agent. The same build with a replica and without, in turns; the step reads, hashes
 * and writes for some seconds. The agent that builds has one processor to itself with its steps, the other agent and the coordinator another, as if each had a host; the
 * disk is one.
 */
import { execa } from 'execa';
import type { BuildId } from '#libs/contracts';
import { TestFarm } from '../../test/support/test-farm.js';
import { head, megabytes, ms, percentile, row } from '../figures.js';

const ROUNDS = Number(process.env['DISTROFARM_BENCH_ROUNDS'] ?? 5);
const CHECKPOINT_MB = 300;

const STEPS = [
  {
    name: 'fill',
    body: `for n in 1 2 3; do openssl enc -aes-128-ctr -nosalt -pass pass:$n < /dev/zero 2> /dev/null | head -c ${CHECKPOINT_MB / 3}M > "$2/$n"; done`,
  },
  {
    name: 'work',
    body: 'for n in 1 2 3 4 5 6; do cat "$2"/[123] | sha256sum > "$2/sum"; head -c 50M /dev/zero > "$2/zero$n"; sync "$2/zero$n"; done',
  },
];

const farm = await TestFarm.start({ database: 'sqlite', agents: 2 });
try {
  await pin('0', farm.agents[0]!.pid);
  for (const { pid } of [farm.agents[1]!, farm.coordinators[0]!, farm.redis]) await pin('1', pid);
  const alone: number[] = [];
  const copied: number[] = [];
  const transfers: number[] = [];
  await round(0);
  for (let turn = 0; turn < ROUNDS; turn += 1) {
    alone.push((await round(0)).stepMs);
    const { stepMs, transferMs } = await round(1);
    copied.push(stepMs);
    transfers.push(transferMs);
  }
  head(
    `A step of ${ms(percentile(alone, 0.5))} behind a checkpoint of ${CHECKPOINT_MB} MB, ${ROUNDS} times each`,
  );
  row('the step, its checkpoint not copied, p50', ms(percentile(alone, 0.5)));
  row('the step while its checkpoint is copied, p50', ms(percentile(copied, 0.5)));
  row('  ratio', (percentile(copied, 0.5) / percentile(alone, 0.5)).toFixed(2), '<= 1.10');
  row('  ratio of the quickest', (Math.min(...copied) / Math.min(...alone)).toFixed(2));
  row('the copying, p50', ms(percentile(transfers, 0.5)));
  row('  its rate', `${megabytes((CHECKPOINT_MB * 1024 ** 2 * 1000) / percentile(transfers, 0.5))}/s`);
} finally {
  await farm.stop();
}

/** One build, and what its second step took. */
async function round(replicas: number): Promise<{ readonly stepMs: number; readonly transferMs: number }> {
  const id = await farm.submit(farm.scenario(STEPS), { replicas, onAgent: 'agent0' });
  const ended = await farm.atRest(id);
  if (ended.state !== 'succeeded') throw new Error(`the build ended as ${ended.state}`);
  const step = ended.jobs[0]!.steps[1]!;
  const stepMs = step.endedAt! - step.startedAt!;
  if (replicas === 0) return { stepMs, transferMs: 0 };
  const { data, at } = await replicated(id);
  const transferMs = Number(data['ms']);
  const share = (step.endedAt! - Math.max(step.startedAt!, at - transferMs)) / stepMs;
  console.error(
    `step ${stepMs} ms; copied in ${transferMs} ms, from ${at - transferMs - step.startedAt!} ms after its start on; ${Math.round(100 * Math.min(1, share))} % left then`,
  );
  return { stepMs, transferMs };
}

async function replicated(
  id: BuildId,
): Promise<{ readonly data: Record<string, unknown>; readonly at: number }> {
  return await farm.events.until(
    ({ type, build, data }) =>
      type === 'checkpoint-replicated' && build === id && data['label'] === '.step_work',
  );
}

/** All threads of the process, and what it starts from now on. */
async function pin(processor: string, pid: number): Promise<void> {
  await execa('taskset', ['--all-tasks', '--cpu-list', '--pid', processor, String(pid)]);
}
