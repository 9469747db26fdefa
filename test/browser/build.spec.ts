// Needs redis-server, root, Debian's chromium, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { describe, expect, it, jest } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { farmInBrowser } from '../support/farm-in-browser.js';
import type { TestBrowser } from '../support/test-browser.js';
import type { TestFarm } from '../support/test-farm.js';

jest.setTimeout(120_000);

const FIVE = `<farm:variants><farm:axis name="n">${['a', 'b', 'c', 'd', 'e'].map((name) => `<farm:value name="${name}"/>`).join('')}</farm:axis></farm:variants>`;

/** Of one pixel. */
const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

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

  it('shows how another agent goes on for one that was lost, and with what', async () => {
    const scenario = farm.scenario([{ name: 'a' }, { name: 'b', body: '[ -e "$S/again" ] || hold b' }]);
    const id = await farm.submit(scenario, { replicas: 1, waitForReplicas: true });
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
    const words = `state in front of b, copied ahead from ${first}: \\d.* in \\d`;
    await page
      .getByText(
        new RegExp(`attempt 2 on ${second} went on with what attempt 1 on ${first} had made: ${words}`),
      )
      .waitFor();
    const arrow = await page.locator('.timeline-arrow > svg > line').nth(1).boundingBox();
    expect(arrow?.width).toBeGreaterThan(5);
    expect(await scenario.finished()).toEqual(['a', 'b']);
    await page.goto(`${farm.url}/agents`);
    await page.getByRole('row', { name: new RegExp(`lost.*${first}`) }).waitFor();
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    await farm.startAgent(farm.agents.findIndex(({ name }) => name === first));
  });

  it('shows what booted media showed, also of a boot that failed, and nothing that only says that it is a picture', async () => {
    const boot = [
      'mkdir "$5/boot-test"',
      `echo ${PNG} | base64 -d > "$5/boot-test/Live.iso.bios.failed.png"`,
      `echo '<svg xmlns="http://www.w3.org/2000/svg"><script>document.title=1</script></svg>' > "$5/boot-test/Live.usb.uefi.up.png"`,
      'exit 3',
    ].join('\n');
    const scenario = farm.scenario([
      { name: 'iso', body: 'echo image > "$5/Live.iso"' },
      { name: 'boot-test', body: boot },
    ]);
    const id = await farm.submit(scenario);
    expect(await farm.atRest(id)).toMatchObject({ state: 'failed' });
    expect((await farm.artifacts(id)).map(({ name }) => name)).toEqual([
      'boot-test/Live.iso.bios.failed.png',
      'boot-test/Live.usb.uefi.up.png',
    ]);
    const page = await browser.open(farm.url, farm.adminToken, `/builds/${id}/artifacts`);
    const picture = page.getByRole('img', { name: 'Screen of Live.iso by BIOS: did not come up' });
    await picture.waitFor();
    const width = (image: unknown) => (image as { naturalWidth: number }).naturalWidth;
    expect(await picture.evaluate(width)).toBe(1);
    await page.getByText('This is no picture.').waitFor();
    await page.getByRole('button', { name: /^Screen of Live.iso/ }).press('Enter');
    await page
      .getByRole('dialog')
      .getByRole('img', { name: /full size/ })
      .waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).press('Enter');
    expect(await page.title()).toContain('distrofarm');
    expect(browser.complaints.filter((text) => /Content Security|is not a/.test(text))).toEqual([]);
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
