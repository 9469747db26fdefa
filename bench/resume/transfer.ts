/**
 * (a) and (b): a checkpoint through the farm (ticket, TLS, receive, checked before it counts) against `zfs send | zfs receive` of the same snapshot in the same pool; and the
 * bytes that move after a step that changed 1 % of the tree.
 */
import { execa } from 'execa';
import type { BuildId, FarmEvent } from '#libs/contracts';
import { TestFarm } from '../../test/support/test-farm.js';
import { head, megabytes, percentile, row } from '../figures.js';

const ROUNDS = 3;
const FILES = 10_000;
const FILE_BYTES = 40_000;

const pool = process.env['DC_TEST_POOL'] ?? '';
const farm = await TestFarm.start({ database: 'sqlite', agents: 0 });
try {
  const names = ['agent0', 'agent1'];
  for (const name of names) await farm.addAgent({ DISTROFARM_AGENT_STORE: `${pool}/${name}` });
  const full = { farm: [] as number[], bare: [] as number[], bytes: 0 };
  const increment = { farm: 0, bare: 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = await farm.submit(farm.scenario(steps()), { pauseBefore: 'look' });
    const from = (await farm.atRest(id)).jobs[0]!.attempts[0]!.agentName;
    await farm.call('POST', `/agents/${from}/drain`, { why: 'measured' });
    // Named, so that it is fetched also where making it again would be quicker.
    await farm.resume(id, 'look');
    await farm.atRest(id);
    await farm.call('POST', `/agents/${from}/undrain`);

    const [tree, onePercent] = ['.step_change', '.step_look'].map((label) => fetched(id, label));
    const snapshots = await snapshotsOf(`${pool}/${from}`, id);
    const [empty, before, after] = ['fill', 'change', 'look'].map(
      (step) => snapshots.find((name) => name.endsWith(`@.step_${step}`)) ?? '',
    );
    full.bytes = Number(tree!.data['bytes']);
    full.farm.push(full.bytes / Number(tree!.data['ms']));
    full.bare.push(full.bytes / (await bareTransfer(empty!, before!)));
    increment.farm = Number(onePercent!.data['bytes']);
    increment.bare = await streamBytes(before!, after!);
  }
  const rate = (bytesPerMs: number): string => `${megabytes(bytesPerMs * 1000)}/s`;
  const [through, bare] = [percentile(full.farm, 0.5), percentile(full.bare, 0.5)];
  head(
    `(a) a checkpoint of ${FILES} files, ${megabytes(full.bytes)}, from agent to agent, median of ${ROUNDS}`,
  );
  row('zfs send | zfs receive', rate(bare));
  row('through the farm', rate(through));
  row('  ratio', (through / bare).toFixed(2), '>= 0.80');
  head('(b) the next one, 1 % of the files written anew');
  row('zfs send -i', megabytes(increment.bare));
  row('through the farm', megabytes(increment.farm));
  row('  ratio', (increment.farm / increment.bare).toFixed(2), '<= 1.50');
} finally {
  await farm.stop();
}

function steps() {
  const fill = `head -c ${FILES * FILE_BYTES} /dev/urandom | split -b ${FILE_BYTES} -a 4 - "$2/f"`;
  const change = `for file in $(ls "$2" | awk 'NR % 100 == 0'); do head -c ${FILE_BYTES} /dev/urandom > "$2/$file"; done`;
  return [{ name: 'fill', body: fill }, { name: 'change', body: change }, { name: 'look' }];
}

function fetched(build: BuildId, label: string): FarmEvent | undefined {
  return farm.events
    .of(build)
    .find(({ type, data }) => type === 'checkpoint-fetched' && data['label'] === label);
}

async function snapshotsOf(dataset: string, build: BuildId): Promise<readonly string[]> {
  const { stdout } = await execa('zfs', ['list', '-H', '-o', 'name', '-t', 'snapshot', '-r', dataset]);
  return stdout.split('\n').filter((name) => name.includes(build));
}

/** Milliseconds that the increment takes by a pipe of the shell. */
async function bareTransfer(base: string, snapshot: string): Promise<number> {
  const target = `${pool}/bare`;
  const shell = async (script: string, ...args: readonly string[]): Promise<unknown> =>
    await execa('bash', ['-euo', 'pipefail', '-c', script, 'bare', ...args]);
  await shell('zfs send "$1" | zfs receive -u "$2"', base, target);
  const from = performance.now();
  await shell('zfs send -i "$1" "$2" | zfs receive -u "$3"', base, snapshot, target);
  const ms = performance.now() - from;
  await execa('zfs', ['destroy', '-r', target]);
  return ms;
}

async function streamBytes(base: string, snapshot: string): Promise<number> {
  const count = await execa('bash', ['-c', 'zfs send -i "$1" "$2" | wc -c', 'count', base, snapshot]);
  return Number(count.stdout);
}
