/**
 * (d) debian-live by two agents on this machine against distro_const, one lane after the other; each in new folders, with one package cache, filled before, and
 * nothing left to be written to disk. And whether the media are the same, bit by bit. Takes five minutes. DISTROFARM_BENCH_MANIFEST names another manifest.
 */
import { execa } from 'execa';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashFile } from '#libs/artifacts';
import { INSTALLED } from '../../test/support/farm-process.js';
import { TestFarm } from '../../test/support/test-farm.js';
import { head, row } from '../figures.js';

const MANIFEST = process.env['DISTROFARM_BENCH_MANIFEST'] ?? join(INSTALLED, 'examples/debian-live.xml');
const CACHE = { DISTROFARM_AGENT_CACHE: '/var/cache/distrofarm' };

const folder = await mkdtemp(join(tmpdir(), 'bench-two-'));
const farm = await TestFarm.start({ database: 'sqlite', agents: 0 });
try {
  for (let agent = 0; agent < 2; agent += 1) await farm.addAgent(CACHE);
  const note = (text: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${text}`);
  const one = join(folder, 'one');
  const filling = join(folder, 'filling');
  note('distro_const, once to fill the package cache');
  await run('distro_const', ['build', '--build-area', filling, MANIFEST]);
  await execa('sync');
  note('distro_const, measured');
  const alone = await run('distro_const', ['build', '--build-area', one, MANIFEST]);
  await execa('sync');
  note('two agents');
  const access = { DISTROFARM_URL: farm.url, DISTROFARM_TOKEN: farm.adminToken };
  const together = await run('distrofarm', ['submit', MANIFEST, '--no-reuse', '--watch'], access);
  await run('distrofarm', ['artifacts', 'download', 'latest', '-o', join(folder, 'farm')], access);
  const media = await digests(join(one, 'media'));
  const same = JSON.stringify(media) === JSON.stringify(await digests(join(folder, 'farm')));
  head(`(d) ${MANIFEST.split('/').at(-1) ?? ''} by two agents, and by one machine`);
  row('distro_const', `${alone.toFixed(0)} s`);
  row('two agents, from the submission to the end', `${together.toFixed(0)} s`);
  row('  ratio', (together / alone).toFixed(2), '<= 0.75');
  row(`  the same ${media.length} media`, same ? 'yes' : 'NO', 'yes');
} finally {
  await farm.stop();
  await rm(folder, { recursive: true });
}

/** Resolves to how many seconds it took. */
async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const from = performance.now();
  const options = { all: true, env: { SOURCE_DATE_EPOCH: '1700000000', ...env } } as const;
  await execa(join(INSTALLED, 'bin', program), [...args], options);
  return (performance.now() - from) / 1000;
}

/** Of the images in the folder, by name. */
async function digests(path: string): Promise<readonly (readonly [name: string, sha256: string])[]> {
  const names = (await readdir(path)).filter((name) => /\.(iso|usb)$/.test(name)).toSorted();
  return await Promise.all(
    names.map(async (name) => [name, (await hashFile(join(path, name))).sha256] as const),
  );
}
