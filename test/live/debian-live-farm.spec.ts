// Needs root, redis-server, a Debian mirror, the built dist/, and ZFS with a pool of 12 GiB named in DC_TEST_POOL: npm run test:live
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execa } from 'execa';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { hashFile } from '#libs/artifacts';
import { testPool } from '../support/test-build.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(3_600_000);

const ROOT = resolve(import.meta.dirname, '../..');
const MANIFEST = join(ROOT, 'examples/debian-live.xml');
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

describe('debian-live', () => {
  let farm: TestFarm;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'debian-live-farm-'));
    farm = await TestFarm.start({ database: 'sqlite', agents: 0 });
    const cache = { DISTROFARM_AGENT_CACHE: '/var/cache/distrofarm' };
    await farm.addAgent({ ...cache, DISTROFARM_AGENT_STORE: `${testPool()}/agent` });
    await farm.addAgent(cache);
  });
  afterAll(async () => {
    await farm.stop();
    await rm(folder, { recursive: true });
  });

  it('gives the same bits on two agents, one on ZFS and one on folders, as on one machine', async () => {
    const access = { DISTROFARM_URL: farm.url, DISTROFARM_TOKEN: farm.adminToken };
    await run('distrofarm', ['submit', MANIFEST, '--watch'], access);
    await run('distrofarm', ['artifacts', 'download', 'latest', '-o', join(folder, 'farm')], access);
    const { jobs } = await farm.build('latest');
    const agentsOf = (...lanes: readonly string[]): readonly string[] =>
      lanes.map((lane) => jobs.find((job) => job.lane === lane)?.attempts.at(-1)?.agentName ?? '').toSorted();
    // Side by side, wherever a slot was free; so what they need of each other has been carried.
    expect(agentsOf('x86-64', 'x86-32')).toEqual(['agent0', 'agent1']);
    expect(agentsOf('iso', 'usb')).toEqual(['agent0', 'agent1']);
    await run('distro_const', ['build', '--build-area', join(folder, 'one'), MANIFEST]);
    expect(await digests(join(folder, 'farm'))).toEqual(await digests(join(folder, 'one/media')));
  });
});
