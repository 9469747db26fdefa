// Needs redis-server, root, Debian's chromium, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { describe, expect, it, jest } from '@jest/globals';
import { farmInBrowser } from '../support/farm-in-browser.js';
import type { TestBrowser } from '../support/test-browser.js';
import type { TestFarm } from '../support/test-farm.js';

jest.setTimeout(120_000);

describe('agents in the browser', () => {
  let farm: TestFarm;
  let browser: TestBrowser;
  farmInBrowser({ agents: 0 }, (started) => ({ farm, browser } = started));

  it('come by the one command that the page shows, and take jobs', async () => {
    const page = await browser.open(farm.url, farm.adminToken, '/agents');
    await page.getByText('No agent is enrolled, so nothing can run.').waitFor();
    await page.getByRole('button', { name: 'Enrol…' }).press('Enter');
    await page.getByRole('textbox').fill('tank');
    await page.getByRole('textbox').press('Enter');
    const command = await page.getByLabel('Command to run on the host').textContent();
    expect(command).toMatch(/^distrofarm-agent enrol .*dfe_/);
    await page.getByRole('button', { name: 'Done' }).press('Enter');
    await farm.addAgentBy(command ?? '', 'tank');
    await page.getByRole('row', { name: /idle.*tank/ }).waitFor();
    const scenario = farm.scenario([{ name: 'pop', body: 'hold pop' }]);
    const id = await farm.submit(scenario);
    await page.getByRole('row', { name: new RegExp(`busy.*tank.*pop of ${id}`) }).waitFor();
    await scenario.open('pop');
    await page.getByRole('row', { name: /idle.*tank.*nothing/ }).waitFor();
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
  });

  it('are drained, and taken back', async () => {
    const page = await browser.open(farm.url, farm.adminToken, '/agents');
    await page.getByRole('button', { name: 'Drain…' }).click();
    await page.getByLabel(/Let its jobs go on/).check();
    await page.getByRole('alertdialog').getByRole('textbox').fill('new disks');
    await page.getByRole('button', { name: 'Drain it' }).click();
    await page.getByRole('row', { name: /drained.*new disks/ }).waitFor();
    await page.getByRole('button', { name: 'Undrain' }).click();
    await page.getByRole('row', { name: /idle.*tank/ }).waitFor();
  });

  it('are paused with a reason and an end, and have a history', async () => {
    const failing = farm.scenario([{ name: 'pop' }, { name: 'iso', body: 'exit 3' }], { name: 'Rescue' });
    const id = await farm.submit(failing);
    await farm.atRest(id);
    const page = await browser.open(farm.url, farm.adminToken, '/agents/tank');
    await page.getByRole('button', { name: 'Pause…' }).click();
    const dialog = page.getByRole('alertdialog', { name: 'Pause tank?' });
    await dialog.getByLabel('Paused').selectOption('for an hour');
    await dialog.getByRole('textbox').fill('new firmware');
    await dialog.getByRole('button', { name: 'Pause it' }).click();
    await page.getByText(/^admin: new firmware until \d{4}-/).waitFor();
    const history = page.getByRole('table', { name: 'History' });
    await history.getByRole('rowheader', { name: /^paused by admin: new firmware until / }).waitFor();
    await page.getByRole('button', { name: 'Unpause' }).click();
    await history.getByRole('rowheader', { name: 'unpaused by admin' }).waitFor();
    const heads = await history.getByRole('rowheader').allTextContents();
    expect(heads.slice(0, 3)).toEqual([
      'unpaused by admin',
      expect.stringMatching(/^paused by admin: new firmware until /),
      `ran main of Rescue ${id}`,
    ]);
    expect(heads.slice(-2)).toEqual(['started', 'enrolled by admin']);
    await history.getByRole('row', { name: /Rescue.*iso exited with status 3/ }).waitFor();
    await history.getByRole('link', { name: 'main' }).first().click();
    await page.getByText('The end of the log.').waitFor();
  });
});
