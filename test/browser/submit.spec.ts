// Needs redis-server, root, Debian's chromium, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Page, Request } from 'playwright-core';
import type { CreatedToken, SubmitBuild } from '#libs/contracts';
import type { z } from 'zod';
import { readSubmission } from '../../apps/cli/src/distrofarm/read-submission.js';
import type { Scenario } from '../support/farm-scenario.js';
import { dropFiles, TestBrowser } from '../support/test-browser.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(120_000);

const HOSTS = ['en', 'de', 'fr'];
const VARIANTS = `<farm:variants>${HOSTS.map((name) => `<farm:variant name="${name}"><farm:set path="img_params/hostname" value="${name}"/></farm:variant>`).join('')}</farm:variants>`;

describe('submitting in the browser', () => {
  let farm: TestFarm;
  let browser: TestBrowser;
  let scenario: Scenario;
  /** Of the scenario's manifest on disk; its scripts are in `steps` beside it. */
  let manifest: string;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'sqlite', agents: 1 });
    browser = await TestBrowser.start();
    scenario = farm.scenario(
      [
        { name: 'pop', reads: '' },
        { name: 'iso', reads: 'img_params/hostname' },
      ],
      { name: 'Hosts', variants: VARIANTS },
    );
    manifest = await scenario.write();
  });
  afterEach(() => browser.closePages());
  afterAll(async () => {
    await browser.stop();
    await farm.stop();
  });

  const start = (page: Page) => page.getByRole('button', { name: 'Start the build' });
  const problems = (page: Page) => page.getByRole('list', { name: 'Problems' }).getByRole('listitem');
  const cell = (page: Page, words: string | RegExp) => page.getByRole('gridcell', { name: words });

  /** A file of the same name with other content, somewhere else. */
  async function changed(name: string, content: string | Buffer): Promise<string> {
    const path = join(farm.folder, 'changed', name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    return path;
  }

  it('goes from problems at their lines to a build, and the second time nothing runs', async () => {
    const page = await browser.open(farm.url, farm.adminToken);
    const wrong = scenario.manifest.replace('>true</stop', '>perhaps</stop').replace('"base"', '"b ase"');
    await dropFiles(page, await changed('scenario.xml', wrong));
    await page.getByRole('heading', { name: 'Submit a build' }).waitFor();
    await page.getByRole('heading', { name: '2 problems' }).waitFor();
    expect(await problems(page).allTextContents()).toEqual([
      expect.stringMatching(/^scenario\.xml:6.*Error: .*stop_on_error: found "perhaps"/),
      expect.stringMatching(/^scenario\.xml:16.*Error: .*pkg.*found "b ase"/),
    ]);
    await problems(page).nth(1).getByRole('button').press('Enter');
    await page.locator('[data-line="16"]:focus').getByText('Error:').waitFor();
    expect(await start(page).getAttribute('title')).toBe('its problems are to be mended first');

    await dropFiles(page, manifest);
    await page.getByText('Drop these too').waitFor();
    await page
      .getByRole('listitem')
      .filter({ hasText: /^steps\/pop\.sh$/ })
      .waitFor();
    await dropFiles(page, join(dirname(manifest), 'steps'));
    await page.getByText('No problem was found in it.').waitFor();
    await page.getByRole('checkbox', { name: 'fr', exact: true }).uncheck();
    await page.getByText('3 of 4 steps run').waitFor();
    await cell(page, 'de, pop: shared, with variant en').waitFor();
    expect(await page.getByLabel('Command that does the same').textContent()).toBe(
      'distrofarm submit --variant en --variant de scenario.xml',
    );
    // Twice, as hands do: it is one build.
    await start(page).dblclick();
    await page.waitForURL(/\/builds\/b-/);
    await page.getByText('2 variants: 2 succeeded').waitFor();
    expect((await scenario.began()).toSorted()).toEqual(['iso', 'iso', 'pop']);
    expect((await farm.call<{ builds: unknown[] }>('GET', '/builds?name=Hosts')).builds).toHaveLength(1);

    const first = page.url().split('/').at(-1) ?? '';
    await page.getByRole('link', { name: 'Submit' }).click();
    await page.getByText('0 of 4 steps run').waitFor();
    await cell(page, `en, iso: reused, as in ${first}`).waitFor();
    await page.getByRole('checkbox', { name: /^Run every step/ }).check();
    await page.getByText('all 4 steps run').waitFor();
  });

  it('sends what the command line sends, of folders side by side and of the one above', async () => {
    const root = resolve(import.meta.dirname, '../..');
    const page = await browser.open(farm.url, farm.adminToken, '/submit');
    await page.route('**/api/v1/builds/plan', (route) => route.abort());
    const request = { extras: [], cwd: root, env: {}, now: Date.now() };
    for (const name of ['debian-family.xml', 'debian-live.xml']) {
      const { manifestPath, files, sourceDateEpoch } = await readSubmission({
        ...request,
        manifest: `examples/${name}`,
      });
      for (const things of [[join(root, 'examples'), join(root, 'finalizers')], [root]]) {
        const bodyOf = (sent: Request): SubmitBuild => sent.postDataJSON() as SubmitBuild;
        const asked = page.waitForRequest(
          (sent) => sent.url().endsWith('/builds/plan') && bodyOf(sent).manifestPath === manifestPath,
        );
        await dropFiles(page, ...things);
        const top = things.length === 1 ? `${basename(root)}/` : '';
        await page.getByRole('combobox', { name: 'Manifest' }).selectOption(`${top}examples/${name}`);
        expect(bodyOf(await asked)).toMatchObject({ manifestPath, files, sourceDateEpoch });
        await page.getByRole('button', { name: 'Forget it' }).click();
      }
    }
  });

  it('keeps what was dropped when the token ends, for whoever had it, and forgets it with a sign-out', async () => {
    const { token, secret } = await farm.call<z.infer<typeof CreatedToken>>('POST', '/tokens', {
      user: 'eve',
      role: 'submitter',
      rights: ['scripts'],
    });
    const page = await browser.open(farm.url, secret, '/submit');
    await dropFiles(page, manifest, join(dirname(manifest), 'steps'));
    await page.getByRole('checkbox', { name: 'fr', exact: true }).uncheck();
    await page.getByLabel('Note').fill('mine');
    await page
      .getByRole('status')
      .getByText(/steps run/)
      .waitFor();
    await farm.call('DELETE', `/tokens/${token.id}`);
    await page.getByText(/^You were signed out: /).waitFor();
    const again = await farm.token({ user: 'eve', role: 'submitter', rights: ['scripts'] });
    await page.getByLabel('API token').fill(again);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page
      .getByRole('status')
      .getByText(/steps run/)
      .waitFor();
    expect(await page.getByRole('checkbox', { name: 'fr', exact: true }).isChecked()).toBe(false);
    expect(await page.getByLabel('Note').inputValue()).toBe('mine');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API token').fill(again);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Choose files…' }).waitFor();
    expect(await page.getByText('scenario.xml').count()).toBe(0);
  });

  it('is refused in words: by role, and where a script is not catalogued', async () => {
    const files = [manifest, join(dirname(manifest), 'steps')];
    const page = await browser.open(farm.url, await farm.token({ user: 'vic', role: 'viewer' }), '/submit');
    await dropFiles(page, ...files);
    await page.getByText('Not yet: vic is a viewer; this needs a submitter').waitFor();
    await start(page).press('Enter');
    await page.close();
    const other = await browser.open(
      farm.url,
      await farm.token({ user: 'sam', role: 'submitter' }),
      '/submit',
    );
    await dropFiles(other, ...files);
    await other.getByRole('alert').getByText('Sam may use catalogued scripts only').waitFor();
    await other.getByText('Not yet: the farm does not take it').waitFor();
    expect((await farm.call<{ builds: unknown[] }>('GET', '/builds?user=vic')).builds).toEqual([]);
  });

  it('shows hostile files as text, and does not read what is too large', async () => {
    const page = await browser.open(farm.url, farm.adminToken, '/submit');
    const nasty = `<distribution name="exe\u202egpj"><img src=x onerror="document.title=1"><script>document.title=2</script>`;
    await dropFiles(page, await changed('nasty.xml', `${nasty}\n${'x'.repeat(900_000)}\n`));
    await problems(page).first().waitFor();
    await page.getByText('exe⟨U+202E⟩gpj').first().waitFor();
    await page.getByText('… (899000 characters)').waitFor();
    expect(await page.locator('.submit img, .submit script').count()).toBe(0);
    await dropFiles(page, await changed('large.xml', Buffer.alloc(10_000_000, ' ')));
    await page.getByText('the manifest has 10.0 MB, and may have 1.0 MB').first().waitFor();
    expect(await page.title()).toBe('Submit a build · distrofarm');
    // Refused requests, and those of the test above that were not let out, are written to the console, too.
    expect(browser.complaints.filter((text) => !/ERR_FAILED|status of 40[13]/.test(text))).toEqual([]);
  });

  it('plans a thousand variants, of which those are in the document that are seen', async () => {
    const axis = (name: string): string =>
      `<farm:axis name="${name}">${[...Array(10).keys()].map((n) => `<farm:value name="${n}"/>`).join('')}</farm:axis>`;
    const many = farm.scenario([{ name: 'pop', reads: '' }, { name: 'iso' }], {
      name: 'Many',
      variants: `<farm:variants>${['a', 'b', 'c'].map(axis).join('')}</farm:variants>`,
    });
    const page = await browser.open(farm.url, farm.adminToken, '/submit');
    await dropFiles(page, await many.write(), join(many.folder, 'steps'));
    await page.getByLabel('every combination of the values of axes').check();
    await page.getByText('Tick what is to be built.').waitFor();
    for (const name of ['a', 'b', 'c'])
      for (const box of await page
        .getByRole('group', { name: `Values of ${name}` })
        .getByRole('checkbox')
        .all())
        await box.check();
    await page.getByText('over 1000 variants').waitFor({ timeout: 60_000 });
    expect(await page.getByLabel('Command that does the same').textContent()).toBe(
      'distrofarm submit --matrix a --matrix b --matrix c scenario.xml',
    );
    const grid = page.getByRole('grid');
    expect(await grid.getAttribute('aria-rowcount')).toBe('1001');
    expect(await page.getByRole('rowheader').count()).toBeLessThan(60);
    await grid.press('Control+End');
    await cell(page, /^a-9\.b-9\.c-9, iso: /).waitFor();
  });
});
