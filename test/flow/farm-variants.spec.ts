// Needs redis-server, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../apps/cli/src/distrofarm/run.js';
import { ioOf } from '../../apps/cli/src/distrofarm/testing.js';
import type { BuildDetail } from '#libs/contracts';
import { INSTALLED } from '../support/farm-process.js';
import type { Scenario } from '../support/farm-scenario.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

const EDITIONS = `<farm:part xmlns:farm="urn:distrofarm:1">
  <farm:axis name="edition">
    <farm:value name="base"/>
    <farm:value name="rescue"><farm:package add="gddrescue"/></farm:value>
    <farm:value name="broken" optional="true"><farm:package add="broken"/></farm:value>
  </farm:axis>
</farm:part>`;
const VARIANTS = `<farm:variants>
  <farm:variant name="plain"/>
  <farm:variant name="nightly" optional="true"><farm:package add="broken"/></farm:variant>
  <farm:axis name="locale">
    <farm:value name="en"/>
    <farm:value name="de"><farm:package add="task-german"/></farm:value>
  </farm:axis>
  <farm:include href="shared/editions.xml"/>
</farm:variants>`;

describe('variants of a manifest on a farm', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'sqlite', agents: 1 });
  });
  afterAll(() => farm.stop());

  async function cli(...args: readonly string[]) {
    const env = { DISTROFARM_URL: farm.url, DISTROFARM_TOKEN: farm.adminToken, HOME: farm.folder };
    const io = ioOf({ env, cwd: farm.folder });
    const exit = await run(args, io);
    return { exit, out: io.out(), err: io.err() };
  }

  /** Publishes what it finds in its manifest; the package `broken` breaks it, until that is mended. */
  async function written(): Promise<{ readonly scenario: Scenario; readonly manifest: string }> {
    const scenario = farm.scenario(
      [
        { name: 'pop', body: 'ManifestRead "$1" img_params/packages/pkg/name > "$2/packages"' },
        {
          name: 'media',
          body: 'if [ ! -e "$S/mended" ] && grep -qx broken "$2/packages"; then exit 3; fi; cp "$2/packages" "$5/"',
        },
      ],
      { variants: VARIANTS },
    );
    const manifest = await scenario.write();
    await mkdir(join(scenario.folder, 'shared'), { recursive: true });
    await writeFile(join(scenario.folder, 'shared/editions.xml'), EDITIONS);
    return { scenario, manifest };
  }

  const idIn = (out: string): string => /^b-[0-9a-z]{10}/m.exec(out)?.[0] ?? '';
  const packagesOf = async (id: string, variant: string): Promise<string> =>
    (await farm.bytes(`/builds/${id}/artifacts/${variant}/packages`)).toString();

  it('are the combinations of a matrix, with axes from an included file', async () => {
    const { scenario, manifest } = await written();
    const { exit, out } = await cli(
      'submit',
      manifest,
      '-M',
      'edition=rescue,base',
      '-M',
      'locale',
      '--watch',
    );
    const id = idIn(out);
    expect([exit, out]).toEqual([0, expect.stringContaining('4 variants: ')]);
    const names = ['en', 'de'].flatMap((locale) =>
      ['base', 'rescue'].map((edition) => `locale-${locale}.edition-${edition}`),
    );
    const build = await farm.build(id);
    expect(build).toMatchObject({ state: 'succeeded', steps: { done: 8, total: 8 }, optionalVariants: [] });
    expect(build.variants.toSorted()).toEqual(names.toSorted());
    const found = await Promise.all(names.map((name) => packagesOf(id, name)));
    expect(found).toEqual([
      'base\n',
      'base\ngddrescue\n',
      'base\ntask-german\n',
      'base\ntask-german\ngddrescue\n',
    ]);
    const again = await cli('submit', manifest, '-V', 'locale-de.edition-rescue', '--watch');
    expect(again.exit).toBe(0);
    expect(await packagesOf(idIn(again.out), 'locale-de.edition-rescue')).toBe(found[3]);

    const area = join(scenario.folder, 'dc');
    const local = ['build', '--variant', 'locale-de.edition-rescue', '--build-area', area, manifest];
    execFileSync(join(INSTALLED, 'bin/distro_const'), local, { stdio: 'pipe' });
    expect(await readFile(join(area, 'media/packages'), 'utf8')).toBe(found[3]);
  });

  it('do not fail their build when they are optional, and can be gone on with', async () => {
    const { scenario, manifest } = await written();
    const { exit, out } = await cli('submit', manifest, '--matrix', 'edition=base,broken', '--watch');
    const id = idIn(out);
    expect(exit).toBe(0);
    expect(out).toMatch(
      /succeeded; an optional variant failed in media\n[\s\S]*Failed, and optional: edition-broken\./,
    );
    const build = await farm.build(id);
    expect(build).toMatchObject({ state: 'succeeded', optionalVariants: ['edition-broken'] });
    await farm.events.until((event) => event.type === 'build-ended' && event.build === id);
    const ended = farm.events.of(id).filter(({ type }) => type === 'build-ended');
    expect(ended.map(({ data }) => data['state'])).toEqual(['succeeded']);
    const { out: shown } = await cli('show', id);
    expect(shown).toMatch(
      /2 variants: 1 failed \(optional\), 1 succeeded\n.*edition-base +succeeded.*\n.*edition-broken +failed +1 of 2 steps +optional/,
    );
    expect((await farm.artifacts(id)).map(({ variant }) => variant)).toEqual(['edition-base']);

    await scenario.open('mended');
    expect((await cli('retry', id)).exit).toBe(0);
    expect((await cli('watch', id)).exit).toBe(0);
    expect((await farm.build(id)).summary).toBe('succeeded');
    expect(await packagesOf(id, 'edition-broken')).toBe('base\nbroken\n');
  });

  it('fail their build when they are all that it is of', async () => {
    const { manifest } = await written();
    const { exit, out } = await cli('submit', manifest, '--variant', 'nightly', '--watch');
    expect([exit, (await farm.build(idIn(out))).state]).toEqual([1, 'failed']);
  });

  it('are refused before the first step when they are too many, unknown, or not in order', async () => {
    const { scenario, manifest } = await written();
    const begun = (await farm.call<{ builds: readonly BuildDetail[] }>('GET', '/builds')).builds.length;
    const axis = (index: number): string =>
      `<farm:axis name="a${index}">${Array.from({ length: 10 }, (_, value) => `<farm:value name="${value}"/>`).join('')}</farm:axis>`;
    const million = scenario.manifest.replace(/<farm:variants>[^]*<\/farm:variants>/, () => {
      return `<farm:variants>${[0, 1, 2, 3, 4, 5].map(axis).join('')}</farm:variants>`;
    });
    await writeFile(join(scenario.folder, 'million.xml'), million);
    const all = [0, 1, 2, 3, 4, 5].flatMap((index) => ['-M', `a${index}`]);
    expect(await cli('submit', join(scenario.folder, 'million.xml'), ...all)).toMatchObject({
      exit: 2,
      err: expect.stringContaining('the matrix has 1000000 combinations'),
    });
    expect(await cli('submit', manifest, '-M', 'edition=rescu')).toMatchObject({
      exit: 2,
      err: expect.stringMatching(/the axis "edition" has no value "rescu"\n.*Did you mean rescue\?/),
    });
    const circle = '<farm:part xmlns:farm="urn:distrofarm:1"><farm:include href="editions.xml"/></farm:part>';
    await writeFile(join(scenario.folder, 'shared/editions.xml'), circle);
    expect(await cli('submit', manifest)).toMatchObject({
      exit: 2,
      err: expect.stringMatching(/shared\/editions\.xml:1:\d+: .*includes itself/),
    });
    const builds = await farm.call<{ builds: readonly BuildDetail[] }>('GET', '/builds');
    expect(builds.builds).toHaveLength(begun);
    expect(await scenario.truth()).toEqual([]);
  });
});
