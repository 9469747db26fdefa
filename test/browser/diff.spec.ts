// Needs redis-server, root, Debian's chromium, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { BuildId, CheckpointView } from '#libs/contracts';
import { TestBrowser } from '../support/test-browser.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(120_000);

const FILES = 3_000;
const status = (version: string): string =>
  `mkdir -p "$2/var/lib/dpkg"; printf 'Package: dash\\nStatus: install ok installed\\nArchitecture: amd64\\nVersion: ${version}\\n' > "$2/var/lib/dpkg/status"`;

describe('the difference between two checkpoints in the browser', () => {
  let farm: TestFarm;
  let browser: TestBrowser;
  let build: BuildId;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'sqlite', agents: 1, leaseSeconds: 3 });
    browser = await TestBrowser.start();
    const hostile = `printf x > "$2/"$'\\u202egpj\\n.exe'`;
    const scenario = farm.scenario(
      [
        { name: 'pop', body: status('0.5') },
        {
          name: 'mod',
          body: `${status('0.6')}; ${hostile}; mkdir "$2/many"; (cd "$2/many" && seq -f 'file%05g' ${FILES} | xargs touch); echo "$2" | sed 's/.*\\.//' > "$2/who"; [ -e "$S/de" ] || { touch "$S/de" "$2/first"; }`,
        },
        { name: 'fin' },
      ],
      {
        variants: '<farm:variants><farm:variant name="de"/><farm:variant name="en"/></farm:variants>',
      },
    );
    build = await farm.submit(scenario);
    expect(await farm.atRest(build)).toMatchObject({ state: 'succeeded' });
  });
  afterEach(() => browser.closePages());
  afterAll(async () => {
    await browser.stop();
    await farm.stop();
  });

  async function idOf(variant: string, before: string): Promise<string> {
    const { checkpoints } = await farm.call<{ checkpoints: CheckpointView[] }>(
      'GET',
      `/checkpoints?build=${build}`,
    );
    return checkpoints.find((each) => each.variant === variant && each.before === before)?.id ?? '';
  }

  it('is found by way of a step, and read to its last file by the keyboard', async () => {
    const page = await browser.open(farm.url, farm.adminToken, `/builds/${build}?variant=de&step=mod`);
    await page.getByRole('link', { name: 'What mod changed' }).press('Enter');
    await page.getByRole('heading', { name: 'Difference' }).waitFor();
    await page.getByRole('region', { name: 'From' }).getByText('in front of mod').waitFor();
    await page.getByRole('row', { name: /dash amd64 changed 0\.5 0\.6/ }).waitFor();
    await page.getByRole('status', { name: 'Files and folders' }).getByText(/added/).waitFor();
    const files = page.getByRole('region', { name: 'Files that differ' });
    await files.getByText('pkg_image/many/file00001').waitFor();
    // Not all of them are in the page.
    expect(await files.getByRole('listitem').count()).toBeLessThan(200);
    await files.focus();
    for (;;) {
      await page.keyboard.press('End');
      if (await files.getByText('\\u{202e}gpj\\u{a}.exe').isVisible()) break;
      await page.waitForTimeout(50);
    }
    // A folder's name narrows them, and the address says so.
    await page.getByRole('button', { name: 'pkg_image/many/' }).press('Enter');
    await page.getByText(`${FILES.toLocaleString('en')} differ, of those`).waitFor();
    expect(new URL(page.url()).searchParams.get('path')).toBe('pkg_image/many/');
    await page.getByLabel('With this in their path').fill('file02999');
    await page.getByText('1 differs, of those').waitFor();
    await files.getByText('pkg_image/many/file02999').waitFor();
    await page.getByLabel('With this in their path').fill('nowhere');
    await page.getByText('No such file differs.').waitFor();
    expect(browser.complaints).toEqual([]);
  });

  it('is one between variants, too, and says who is waited for', async () => {
    const agent = farm.agents[0]!;
    agent.signal('SIGSTOP');
    const page = await browser.open(farm.url, farm.adminToken, `/builds/${build}?variant=en&step=fin`);
    await page.getByRole('link', { name: 'Compare' }).click();
    await page
      .getByText(/Agent agent0 is to list it since/)
      .first()
      .waitFor();
    agent.signal('SIGCONT');
    await page.getByRole('status', { name: 'Files and folders' }).waitFor();
    await page
      .getByText(/the same/)
      .first()
      .waitFor();
    await page.getByRole('link', { name: 'Other way round' }).click();
    await page.getByRole('region', { name: 'From' }).getByText('in front of fin').waitFor();
    expect(new URL(page.url()).searchParams.get('from')).toBe(await idOf('de', 'fin'));
  });

  it('is not to be had of what nobody holds', async () => {
    const page = await browser.open(farm.url, farm.adminToken, '/checkpoints/diff?from=12345&to=12345');
    await page.getByRole('alert').getByText('No agent holds a checkpoint "12345".').waitFor();
  });
});
