// Needs redis-server, root, Debian's chromium, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { AuditEntry, BuildId, CheckpointView, FarmErrorBody } from '#libs/contracts';
import type { Page } from 'playwright-core';
import { TestBrowser } from '../support/test-browser.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(120_000);

const VARIANTS = `<farm:variants>${['de', 'fr']
  .map(
    (name) =>
      `<farm:variant name="${name}"><farm:set path="img_params/hostname" value="${name}"/></farm:variant>`,
  )
  .join('')}</farm:variants>`;

describe('what agents hold, in the browser', () => {
  let farm: TestFarm;
  let browser: TestBrowser;
  /** Its variants have all up to `pop` in common, and ran on an agent each. */
  let build: BuildId;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'sqlite', agents: 0, transfersAreQuick: true });
    for (let agents = 0; agents < 2; agents += 1) await farm.addAgent({ DISTROFARM_AGENT_SLOTS: '1' });
    browser = await TestBrowser.start();
    const scenario = farm.scenario(
      [
        { name: 'pop', reads: '' },
        {
          name: 'lang',
          reads: 'img_params/hostname',
          body: 'hold "$(ManifestRead "$1" img_params/hostname)"',
        },
        { name: 'iso', reads: '' },
      ],
      { variants: VARIANTS },
    );
    build = await farm.submit(scenario, { reuse: true });
    await scenario.reached('de');
    await scenario.reached('fr');
    await scenario.open('de', 'fr');
    expect(await farm.atRest(build)).toMatchObject({ state: 'succeeded' });
  });
  afterEach(() => browser.closePages());
  afterAll(async () => {
    await browser.stop();
    await farm.stop();
  });

  const item = (page: Page, words: RegExp) => page.getByRole('treeitem', { name: words });
  /** What a screen reader says of the row that the cursor is on. */
  const cursor = async (page: Page): Promise<string> =>
    await page.evaluate<string>(
      `document.getElementById(document.querySelector('[role=tree]').getAttribute('aria-activedescendant')).innerText`,
    );
  const held = async (): Promise<readonly string[]> => {
    const { checkpoints } = await farm.call<{ checkpoints: CheckpointView[] }>('GET', '/checkpoints');
    return [...new Set(checkpoints.map(({ agentName, variant }) => `${agentName} ${variant}`))].toSorted();
  };

  it('is a tree: what variants share stands once, with all that hold it', async () => {
    const page = await browser.open(farm.url, farm.adminToken, '/checkpoints');
    // Where there is no choice it is open, down to where the variants part.
    await item(page, /^lang/).first().waitFor();
    const rows = await page.getByRole('treeitem').allInnerTexts();
    expect(rows.map((row) => row.replaceAll(/\s+/g, ' '))).toEqual([
      expect.stringMatching(/beginning of main Tiny .*2 variants of 1 build agent./),
      expect.stringMatching(/pop Tiny .*2 variants of 1 build agent0, agent1/),
      expect.stringMatching(/lang Tiny .*1 variant of 1 build agent./),
      expect.stringMatching(/lang Tiny .*1 variant of 1 build agent./),
    ]);
    const attributes = ['aria-level', 'aria-posinset', 'aria-setsize'];
    const levels = await Promise.all(
      (await page.getByRole('treeitem').all()).map(async (each) =>
        (await Promise.all(attributes.map((name) => each.getAttribute(name)))).join('/'),
      ),
    );
    expect(levels).toEqual(['1/1/1', '2/1/1', '3/1/2', '3/2/2']);
    await page.getByLabel('Agent', { exact: true }).selectOption('agent1');
    await page.getByRole('treeitem').nth(3).waitFor({ state: 'detached' });
    expect(new URL(page.url()).search).toBe('?agent=agent1');
  });

  it('is walked and opened by keyboard, and each node has an address', async () => {
    const page = await browser.open(farm.url, farm.adminToken, '/checkpoints');
    await item(page, /^lang/).first().waitFor();
    const tree = page.getByRole('tree');
    await tree.focus();
    await tree.press('End');
    expect(await cursor(page)).toMatch(/lang/);
    await tree.press('ArrowLeft');
    expect(await cursor(page)).toMatch(/pop/);
    await tree.press('ArrowLeft');
    await item(page, /lang/).first().waitFor({ state: 'detached' });
    expect(await item(page, /pop/).getAttribute('aria-expanded')).toBe('false');
    await tree.press('ArrowRight');
    await tree.press('ArrowRight');
    expect(await cursor(page)).toMatch(/lang/);
    await tree.press('Home');
    await tree.press('ArrowDown');
    await tree.press('Enter');
    await page.getByRole('complementary', { name: 'State behind pop' }).waitFor();
    expect(await item(page, /pop/).getAttribute('aria-selected')).toBe('true');
    // Focus has stayed, and so has the cursor.
    await page.keyboard.press('ArrowDown');
    expect(await cursor(page)).toMatch(/lang/);
    await page.reload();
    const panel = page.getByRole('complementary', { name: 'State behind pop' });
    await panel.getByText('de, fr').waitFor();
    await page.getByRole('link', { name: 'JSON' }).click();
    await page.getByText('"holdingsInAll"').waitFor();
  });

  it('says what collecting would remove, and compares two states', async () => {
    const page = await browser.open(farm.url, farm.adminToken, '/checkpoints');
    await item(page, /beginning/).click();
    await page.getByRole('button', { name: 'Compare…' }).click();
    await page.getByText('Choose the state to compare it with.').waitFor();
    await item(page, /pop/).click();
    const link = page.getByRole('link', { name: 'Compare with the one chosen before' });
    const { searchParams, pathname } = new URL((await link.getAttribute('href'))!, farm.url);
    const { checkpoints } = await farm.call<{ checkpoints: CheckpointView[] }>('GET', '/checkpoints');
    const before = (name: string) => checkpoints.find(({ id }) => id === searchParams.get(name))?.before;
    expect([pathname, before('from'), before('to')]).toEqual(['/checkpoints/diff', 'pop', 'lang']);
    await page.getByRole('link', { name: 'What collecting would remove' }).click();
    await page.getByText('Nothing would go.').waitFor();
  });

  it('is pinned, unpinned and dropped, by those who may', async () => {
    const page = await browser.open(farm.url, farm.adminToken, '/checkpoints');
    const leaf = item(page, /lang.*agent1/);
    await leaf.click();
    const panel = page.getByRole('complementary', { name: 'State behind lang' });
    await panel.getByRole('button', { name: 'Pin' }).click();
    await panel.getByText('pinned by admin').waitFor();
    await item(page, /lang.*pinned/).waitFor();
    const [{ variant }] = (await farm.call<{ pins: [{ variant: string }] }>('GET', '/checkpoints/pins')).pins;
    const dialog = page.getByRole('alertdialog');
    await panel.getByRole('button', { name: 'Drop…' }).click();
    await dialog.getByText(`${build} ${variant} on agent1 stays: it is pinned: unpin it first.`).waitFor();
    expect(await dialog.getByRole('button', { name: 'Drop it' }).isDisabled()).toBe(true);
    await dialog.getByRole('button', { name: 'Leave it' }).click();
    const order = { build, variant, agent: 'agent1', why: 'no' };
    const refusal = farm.call('POST', '/checkpoints/drop', order);
    await expect(refusal).rejects.toMatchObject({
      status: 409,
      body: { problems: [expect.stringContaining('it is pinned')] } as unknown as FarmErrorBody,
    });
    await panel.getByRole('button', { name: 'Unpin' }).click();
    await panel.getByText('pinned by admin').waitFor({ state: 'detached' });
    expect(await held()).toContain(`agent1 ${variant}`);
    await panel.getByRole('button', { name: 'Drop…' }).click();
    await dialog
      .getByRole('table', { name: 'What would go' })
      .getByRole('row', { name: /agent1/ })
      .waitFor();
    await dialog.getByRole('textbox').fill('a test');
    await dialog.getByRole('button', { name: 'Drop it' }).click();
    await leaf.waitFor({ state: 'detached' });
    await page
      .getByRole('alert')
      .getByText(/^No agent holds the state/)
      .waitFor();
    expect(await held()).not.toContain(`agent1 ${variant}`);
    const { entries } = await farm.call<{ entries: AuditEntry[] }>('GET', '/audit');
    expect(entries.find(({ action }) => action === 'checkpoints.drop')).toMatchObject({
      ...{ target: build, why: 'a test' },
      data: { removed: [expect.stringContaining(`${build}.${variant} on `)] },
    });
    const viewer = await browser.blank();
    await viewer.goto(farm.url);
    await viewer.evaluate('sessionStorage.clear()');
    await viewer.reload();
    await viewer.getByLabel('API token').fill(await farm.token({ user: 'ada', role: 'submitter' }));
    await viewer.getByRole('button', { name: 'Sign in' }).click();
    await viewer.getByRole('link', { name: 'Checkpoints' }).click();
    await item(viewer, /lang/).click();
    const drop = viewer.getByRole('button', { name: 'Drop…' }).first();
    expect(await drop.getAttribute('title')).toBe('ada is a submitter; this needs an operator');
    expect(browser.complaints.filter((text) => !text.includes('404'))).toEqual([]);
  });
});
