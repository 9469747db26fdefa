// Needs root, a Debian mirror, the built dist/, ZFS with a pool named in DC_TEST_POOL (scripts/with-zfs.sh), and a folder named in
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

jest.setTimeout(1_800_000);

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

/** What a build in that folder must leave as it was; other tests have loop devices of their own meanwhile. */
async function hostState(folder: string): Promise<unknown> {
  const etc = await execa('find', ['/etc', '/boot', '-xdev', '-type', 'f', '-printf', '%p %T@ %s %m\n'], {
    reject: false,
  });
  const loops = await readdir('/sys/block').then((names) => names.filter((name) => name.startsWith('loop')));
  const backed = await Promise.all(
    loops.map(async (name) => await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '')),
  );
  return {
    etc: etc.stdout.split('\n').toSorted(),
    backed: backed.filter((file) => file.startsWith(folder)),
  };
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
      const before = await hostState(folder);
      await distroConst(folder, '--build-area', area, '-p', 'ba-arch', manifest);
      await distroConst(folder, '--build-area', area, '-R', '-p', 'iso', manifest);
      await distroConst(folder, '--build-area', area, '-r', 'root-arch', manifest);
      expect(await digests(join(area, 'media'))).toEqual(onZfs);
      expect(await hostState(folder)).toEqual(before);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('debian-live', () => {
  it('becomes media of both architectures, lane by lane', async () => {
    const area = `${testPool()}/live`;
    await distroConst('/', '--build-area', area, join(ROOT, 'examples/debian-live.xml'));
    const media = join(await mountPoint(area), 'media');
    expect(Object.keys(await digests(media))).toEqual(['Debian_Live_X86.iso', 'Debian_Live_X86.usb']);
    await publish(media, 'live');
  });
});

describe('debian-family', () => {
  const build = async (cwd: string, area: string): Promise<void> => {
    const variant = ['--variant', 'locale-de.edition-rescue'];
    await distroConst(cwd, '--build-area', area, ...variant, join(ROOT, 'examples/debian-family.xml'));
  };

  it('has layers of packages that are the same bits on ZFS and on folders, and leave the host as it was', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'same layers-'));
    try {
      const area = `${testPool()}/family`;
      await build('/', area);
      const onZfs = join(await mountPoint(area), 'media');
      const before = await hostState(folder);
      await build(folder, join(folder, 'dc'));
      expect(Object.keys(await digests(onZfs))).toEqual(['Debian_Rescue.iso', 'Debian_Rescue.usb']);
      expect(await digests(join(folder, 'dc/media'))).toEqual(await digests(onZfs));
      expect(await hostState(folder)).toEqual(before);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
