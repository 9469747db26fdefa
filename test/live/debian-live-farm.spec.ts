// Needs root, redis-server, qemu-system-x86, ovmf, a Debian mirror, the built dist/, and ZFS with a pool of 12 GiB named in DC_TEST_POOL: npm run test:live
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execa } from 'execa';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashFile } from '#libs/artifacts';
import { bootImage } from '#libs/boot';
import { testPool } from '../support/test-build.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(3_600_000);

const ROOT = resolve(import.meta.dirname, '../..');
const MANIFEST = join(ROOT, 'examples/debian-live.xml');
/** What one agent needs for the whole build. */
const POOL_BYTES = 6 * 1024 ** 3;
const MEDIA = ['Debian_Live_X86.iso', 'Debian_Live_X86.usb'];

async function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const result = await execa(join(ROOT, 'bin', program), [...args], {
    reject: false,
    all: true,
    env: { SOURCE_DATE_EPOCH: '1700000000', ...env },
  });
  expect([result.exitCode, result.exitCode === 0 ? '' : result.all]).toEqual([0, '']);
}

async function digests(folder: string): Promise<readonly string[]> {
  expect((await readdir(folder)).toSorted()).toEqual(expect.arrayContaining(MEDIA));
  return await Promise.all(MEDIA.map(async (name) => (await hashFile(join(folder, name))).sha256));
}

const CACHE = { DISTROFARM_AGENT_CACHE: '/var/cache/distrofarm' };

describe('debian-live', () => {
  let folder: string;
  let undisturbed: readonly string[];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'debian-live-farm-'));
    await run('distro_const', ['build', '--build-area', join(folder, 'one'), MANIFEST]);
    undisturbed = await digests(join(folder, 'one/media'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('gives the same bits on two agents, one on ZFS and one on folders, as on one machine', async () => {
    const farm = await TestFarm.start({ database: 'sqlite', agents: 0 });
    try {
      await farm.addAgent({ ...CACHE, DISTROFARM_AGENT_STORE: `${testPool()}/agent` });
      await farm.addAgent(CACHE);
      await run('distrofarm', ['submit', MANIFEST, '--no-reuse', '--watch'], accessTo(farm));
      const media = await download(farm, join(folder, 'farm'));
      const { jobs } = await farm.build('latest');
      const agentsOf = (...lanes: readonly string[]): readonly string[] =>
        lanes
          .map((lane) => jobs.find((job) => job.lane === lane)?.attempts.at(-1)?.agentName ?? '')
          .toSorted();
      // Side by side, wherever a slot was free; so what they need of each other has been carried.
      expect(agentsOf('x86-64', 'x86-32')).toEqual(['agent0', 'agent1']);
      expect(agentsOf('iso', 'usb')).toEqual(['agent0', 'agent1']);
      expect(media).toEqual(undisturbed);
    } finally {
      await farm.stop();
    }
  });

  it('ends by itself with the same media when the host of the 64-bit lane dies and its pool with it', async () => {
    const pools = ['df_live0', 'df_live1'];
    const farm = await TestFarm.start({ database: 'sqlite', agents: 0, leaseSeconds: 10 });
    try {
      for (const pool of pools) {
        const file = join(folder, `${pool}.img`);
        await execa('fallocate', ['-l', String(POOL_BYTES), file]);
        await execa('zpool', ['create', '-o', 'ashift=9', '-m', join(folder, pool), pool, file]);
        await farm.addAgent({ ...CACHE, DISTROFARM_AGENT_STORE: `${pool}/agent` });
      }
      const watch = run('distrofarm', ['submit', MANIFEST, '--no-reuse', '--watch'], accessTo(farm));
      await farm.events.until(({ type, data }) => type === 'step-started' && data['step'] === 'root-arch');
      const { jobs } = await farm.build('latest');
      const lane = jobs.find(({ lane }) => lane === 'x86-64');
      const lost = Number(lane?.attempts.at(-1)?.agentName.slice(-1));
      await farm.agents[lost]?.kill9();
      await takeAway(pools[lost] ?? '');

      await watch;
      expect(await download(farm, join(folder, 'after-loss'))).toEqual(undisturbed);
      const [iso, usb] = MEDIA.map((name) => join(folder, 'after-loss', name));
      for (const machine of [
        { image: iso ?? '', medium: 'cdrom', firmware: 'bios', cpu: 'x86-64' },
        { image: iso ?? '', medium: 'cdrom', firmware: 'bios', cpu: 'x86-32' },
        { image: usb ?? '', medium: 'usb', firmware: 'uefi', cpu: 'x86-64' },
      ] as const)
        expect(await bootImage({ ...machine, timeoutMs: 180_000 })).toMatchObject({ kind: 'announced' });
    } finally {
      await farm.stop();
      for (const pool of pools) await takeAway(pool);
    }
  });
});

function accessTo(farm: TestFarm): Readonly<Record<string, string>> {
  return { DISTROFARM_URL: farm.url, DISTROFARM_TOKEN: farm.adminToken };
}

/** The pool is busy until the kernel has ended the steps of an agent that was killed. */
async function takeAway(pool: string): Promise<void> {
  for (;;) {
    const { exitCode, stderr } = await execa('zpool', ['destroy', '-f', pool], { reject: false });
    if (exitCode === 0 || /no such pool/.test(stderr)) return;
    if (!/busy/.test(stderr)) throw new Error(stderr);
    await sleep(200);
  }
}

/** Resolves to the digests of the newest build's media. */
async function download(farm: TestFarm, target: string): Promise<readonly string[]> {
  await run('distrofarm', ['artifacts', 'download', 'latest', '-o', target], accessTo(farm));
  return await digests(target);
}
