// Needs redis-server, root, Debian's chromium, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { describe, expect, it, jest } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { farmInBrowser } from '../support/farm-in-browser.js';
import type { TestBrowser } from '../support/test-browser.js';
import type { TestFarm } from '../support/test-farm.js';

jest.setTimeout(120_000);

const FIVE = `<farm:variants><farm:axis name="n">${['a', 'b', 'c', 'd', 'e'].map((name) => `<farm:value name="${name}"/>`).join('')}</farm:axis></farm:variants>`;

describe('a build in the browser', () => {
  let farm: TestFarm;
  let browser: TestBrowser;
  farmInBrowser({ agents: 2, leaseSeconds: 3 }, (started) => ({ farm, browser } = started));

  /** The cell of a step, by what a screen reader says of it. */
  const cell = (page: Page, words: string | RegExp) => page.getByRole('gridcell', { name: words });

  it('is watched to its end, without a reload, and what it made is downloaded', async () => {
    const scenario = farm.scenario([
      { name: 'pop', body: 'hold pop' },
      { name: 'iso', body: 'hold iso; printf image > "$5/live.iso"' },
    ]);
    const id = await farm.submit(scenario);
    const page = await browser.open(farm.url, farm.adminToken);
    await page.getByRole('table', { name: 'Running builds' }).getByRole('link', { name: 'Tiny' }).click();
    await cell(page, /^default, pop: running/).waitFor();
    await cell(page, 'default, iso: waiting').waitFor();
    await scenario.open('pop');
    await cell(page, /^default, pop: done in /).waitFor();
    await cell(page, /^default, iso: running/).waitFor();
    await scenario.open('iso');
    await cell(page, /^default, iso: done in /).waitFor();
    await page.getByText('succeeded').first().waitFor();
    await page.getByRole('link', { name: 'Artifacts' }).click();
    const [artifact] = await farm.artifacts(id);
    await page.getByRole('cell', { name: artifact?.sha256 ?? '' }).waitFor();
    const coming = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download live.iso' }).click();
    const download = await coming;
    expect(download.suggestedFilename()).toBe('live.iso');
    expect(await readFile(await download.path(), 'utf8')).toBe('image');
  });

  it('is paused and resumed, and run again from a step where the cursor is, by keyboard alone', async () => {
    const scenario = farm.scenario([{ name: 'a' }, { name: 'b', body: 'hold b' }, { name: 'c' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('b');
    const page = await browser.open(farm.url, farm.adminToken, `/builds/${id}`);
    await page.getByRole('button', { name: 'Pause', exact: true }).press('Enter');
    await page.getByText('pause asked for').first().waitFor();
    await farm.agentsKnow();
    await scenario.open('b');
    await cell(page, 'default, c: paused').waitFor();
    await scenario.shut('b');
    // The cursor begins where something happens; keys move it, and the panel follows.
    const grid = page.getByRole('grid');
    await grid.focus();
    await grid.press('Control+Home');
    await grid.press('ArrowDown');
    await page.getByRole('complementary', { name: 'b of default' }).waitFor();
    await page.getByRole('button', { name: 'Resume from here…' }).press('Enter');
    const dialog = page.getByRole('alertdialog', { name: 'Run b of default again?' });
    await dialog.getByRole('textbox').fill('a better b');
    await dialog.getByRole('textbox').press('Enter');
    await scenario.reached('b');
    await cell(page, /^default, b: running/).waitFor();
    await scenario.open('b');
    await cell(page, /^default, c: done/).waitFor();
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(await scenario.began()).toEqual(['a', 'b', 'b', 'c']);
  });

  it('is cancelled only when that is confirmed, and tried again', async () => {
    const scenario = farm.scenario([{ name: 'a', body: '[ -e "$S/again" ] || hold a' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('a');
    const page = await browser.open(farm.url, farm.adminToken, `/builds/${id}`);
    await page.getByRole('button', { name: 'Cancel…' }).click();
    await page.getByRole('button', { name: 'Leave it' }).click();
    expect(await farm.build(id)).toMatchObject({ wish: 'run' });
    await page.getByRole('button', { name: 'Cancel…' }).click();
    await page.getByRole('button', { name: 'Cancel the build' }).click();
    await cell(page, /^default, a: interrupted/).waitFor();
    await farm.atRest(id);
    await scenario.open('again');
    await page.getByRole('button', { name: 'Retry', exact: true }).click();
    await cell(page, /^default, a: done/).waitFor();
  });

  it('of many variants says who runs what, and why others wait', async () => {
    const scenario = farm.scenario([{ name: 'a', body: 'hold a' }, { name: 'b' }], { variants: FIVE });
    const id = await farm.submit(scenario, { matrix: { n: [] } });
    await scenario.reached('a');
    const page = await browser.open(farm.url, farm.adminToken, `/builds/${id}`);
    await page.getByRole('grid', { name: 'Variants and steps' }).waitFor();
    expect(await page.getByRole('rowheader').count()).toBe(5);
    await page
      .getByRole('rowheader', { name: /running on agent/ })
      .first()
      .waitFor();
    await page
      .getByRole('rowheader', { name: /waiting .+/ })
      .first()
      .waitFor();
    await scenario.open('a');
    await page.getByText('5 variants: 5 succeeded').waitFor();
  });

  it('shows how another agent goes on for one that was lost', async () => {
    const scenario = farm.scenario([{ name: 'a' }, { name: 'b', body: '[ -e "$S/again" ] || hold b' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('b');
    const page = await browser.open(farm.url, farm.adminToken, `/builds/${id}/timeline`);
    const first = (await farm.build(id)).jobs[0]?.attempts[0]?.agentName ?? '';
    await page.getByRole('link', { name: `Attempt 1 on ${first}` }).waitFor();
    await scenario.open('again');
    await farm.agents.find(({ name }) => name === first)!.kill9();
    const second = first === 'agent0' ? 'agent1' : 'agent0';
    await page
      .getByRole('link', { name: new RegExp(`Attempt 2 on ${second}, took over from ${first}`) })
      .waitFor({ timeout: 30_000 });
    await page.getByRole('link', { name: /Attempt 1 .*the agent was lost/ }).waitFor();
    await page.goto(`${farm.url}/agents`);
    await page.getByRole('row', { name: new RegExp(`lost.*${first}`) }).waitFor();
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    await farm.startAgent(farm.agents.findIndex(({ name }) => name === first));
  });

  it('is told of as old where the farm is not reached, and as new when it is again', async () => {
    const scenario = farm.scenario([{ name: 'a', body: 'hold a' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('a');
    const page = await browser.open(farm.url, farm.adminToken, `/builds/${id}`);
    await cell(page, /^default, a: running/).waitFor();
    await farm.coordinators[0]!.kill9();
    await page.getByText(/^Old data: what you see is of/).waitFor();
    // What happens meanwhile is no hole.
    await scenario.open('a');
    await farm.startCoordinator();
    await cell(page, /^default, a: done/).waitFor();
    await page.locator('.old-data').first().waitFor({ state: 'hidden' });
  });
});
