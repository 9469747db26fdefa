// Needs root, redis-server, a Debian mirror, the built dist/, ZFS with a pool named in DC_TEST_POOL (scripts/with-zfs.sh), and a folder named in
// DC_TEST_MEDIA, into which it puts what test/boot boots.
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execa } from 'execa';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { testPool } from '../support/test-build.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(900_000);

const ROOT = resolve(import.meta.dirname, '../..');

async function distroConst(cwd: string, ...args: readonly string[]): Promise<void> {
  const result = await execa(join(ROOT, 'bin/distro_const'), ['build', ...args], {
    cwd,
    reject: false,
    all: true,
    env: { SOURCE_DATE_EPOCH: '1700000000' },
  });
  // The whole output: a mirror that fails should be seen to.
  expect({ status: result.exitCode, output: result.exitCode === 0 ? '' : result.all }).toEqual({
    status: 0,
    output: '',
  });
}

async function distrofarm(farm: TestFarm, ...args: readonly string[]): Promise<void> {
  const result = await execa(join(ROOT, 'bin/distrofarm'), [...args], {
    reject: false,
    all: true,
    env: {
      SOURCE_DATE_EPOCH: '1700000000',
      DISTROFARM_URL: farm.url,
      DISTROFARM_TOKEN: farm.adminToken,
    },
  });
  expect({ status: result.exitCode, output: result.exitCode === 0 ? '' : result.all }).toEqual({
    status: 0,
    output: '',
  });
}

async function digests(folder: string): Promise<Readonly<Record<string, string>>> {
  const entries = await Promise.all(
    (await readdir(folder)).toSorted().map(async (name) => {
      const hash = createHash('sha256');
      await pipeline(createReadStream(join(folder, name)), hash);
      return [name, hash.digest('hex')] as const;
    }),
  );
  return Object.fromEntries(entries);
}

async function publish(mediaFolder: string, name: string): Promise<void> {
  const target = join(required('DC_TEST_MEDIA'), name);
  await mkdir(target, { recursive: true });
  for (const file of await readdir(mediaFolder)) await copyFile(join(mediaFolder, file), join(target, file));
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set: run scripts/test.sh`);
  return value;
}

async function mountPoint(dataset: string): Promise<string> {
  return (await execa('zfs', ['get', '-Hp', '-o', 'value', 'mountpoint', dataset])).stdout;
}

/** What a build must leave as it was. */
async function hostState(): Promise<unknown> {
  const etc = await execa('find', ['/etc', '/boot', '-xdev', '-type', 'f', '-printf', '%p %T@ %s %m\n'], {
    reject: false,
  });
  const loops = await readdir('/sys/block').then((names) => names.filter((name) => name.startsWith('loop')));
  const backed = await Promise.all(
    loops.map(async (name) => await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '')),
  );
  return { etc: etc.stdout.split('\n').toSorted(), backed };
}

describe('debian-minimal', () => {
  const manifest = join(ROOT, 'examples/debian-minimal.xml');
  let onZfs: Readonly<Record<string, string>>;

  beforeAll(async () => {
    const area = `${testPool()}/minimal`;
    await distroConst('/', '--build-area', area, manifest);
    const media = join(await mountPoint(area), 'media');
    onZfs = await digests(media);
    await publish(media, 'minimal');
  });

  it('becomes an ISO and a USB image', () => {
    expect(Object.keys(onZfs)).toEqual(['Debian_Minimal_X86.iso', 'Debian_Minimal_X86.usb']);
  });

  it('gives the same bits on folders, in another place, paused and resumed, and leaves the host as it was', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'same bits-'));
    try {
      const area = join(folder, 'dc');
      const before = await hostState();
      await distroConst(folder, '--build-area', area, '-p', 'ba-arch', manifest);
      await distroConst(folder, '--build-area', area, '-R', '-p', 'iso', manifest);
      await distroConst(folder, '--build-area', area, '-r', 'root-arch', manifest);
      expect(await digests(join(area, 'media'))).toEqual(onZfs);
      expect(await hostState()).toEqual(before);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('debian-live', () => {
  const manifest = join(ROOT, 'examples/debian-live.xml');
  let onOneMachine: Readonly<Record<string, string>>;

  beforeAll(async () => {
    const area = `${testPool()}/live`;
    await distroConst('/', '--build-area', area, manifest);
    const media = join(await mountPoint(area), 'media');
    onOneMachine = await digests(media);
    await publish(media, 'live');
  });

  it('becomes media of both architectures, lane by lane', () => {
    expect(Object.keys(onOneMachine)).toEqual(['Debian_Live_X86.iso', 'Debian_Live_X86.usb']);
  });

  it('gives the same bits on a farm of two agents, one on ZFS and one on folders', async () => {
    const farm = await TestFarm.start({ database: 'sqlite', agents: 0 });
    const downloads = await mkdtemp(join(tmpdir(), 'from-the-farm-'));
    try {
      const cache = { DISTROFARM_AGENT_CACHE: '/var/cache/distrofarm' };
      await farm.addAgent({ ...cache, DISTROFARM_AGENT_STORE: `${testPool()}/agent` });
      await farm.addAgent(cache);
      await distrofarm(farm, 'submit', manifest, '--watch');
      await distrofarm(farm, 'artifacts', 'download', 'latest', '-o', downloads);
      expect(await digests(downloads)).toMatchObject(onOneMachine);
      const { jobs } = await farm.build('latest');
      const agentOf = (lane: string): string =>
        jobs.find((job) => job.lane === lane)?.attempts.at(-1)?.agentName ?? '';
      // Placed side by side, wherever a slot was free; so what they need of each other has been carried.
      expect([agentOf('x86-64'), agentOf('x86-32')].toSorted()).toEqual(['agent0', 'agent1']);
      expect([agentOf('iso'), agentOf('usb')].toSorted()).toEqual(['agent0', 'agent1']);
    } finally {
      await farm.stop();
      await rm(downloads, { recursive: true });
    }
  });
});
