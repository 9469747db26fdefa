// Needs redis-server, root, Debian's chromium, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { describe, expect, it, jest } from '@jest/globals';
import type { Page } from 'playwright-core';
import { farmInBrowser } from '../support/farm-in-browser.js';
import { plantLargeLog } from '../support/large-log.js';
import type { TestBrowser } from '../support/test-browser.js';
import type { TestFarm } from '../support/test-farm.js';

jest.setTimeout(120_000);

describe('a log in the browser', () => {
  let farm: TestFarm;
  let browser: TestBrowser;
  farmInBrowser({}, (started) => ({ farm, browser } = started));

  async function openLog(id: string): Promise<Page> {
    const attempt = (await farm.build(id)).jobs[0]?.attempts.at(-1)?.id ?? '';
    return await browser.open(farm.url, farm.adminToken, `/builds/${id}/log/${attempt}`);
  }

  it('is followed across a restart of the coordinator, each line once', async () => {
    const scenario = farm.scenario([{ name: 'a', body: 'echo one; hold a; echo two; hold b; echo three' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('a');
    const page = await openLog(id);
    const line = (text: string) => page.getByRole('option').filter({ hasText: new RegExp(` ?${text}$`) });
    await line('one').waitFor();
    await farm.coordinators[0]!.kill9();
    await page.getByText('Trying again; what is shown is what came until then.').waitFor();
    await scenario.open('a');
    await scenario.reached('b');
    await farm.startCoordinator();
    await line('two').waitFor();
    await scenario.open('b');
    await line('three').waitFor();
    await page.getByText('The end of the log.').waitFor();
    for (const text of ['one', 'two', 'three']) expect(await line(text).count()).toBe(1);
  });

  it('stays text, whatever is in it', async () => {
    const nasty = [
      'head -c 1000000 /dev/zero | tr "\\\\0" x; echo',
      `printf '<img src=x onerror="document.title=1"><script>document.title=2</script>\\n'`,
      `printf '\\033]0;pwned\\007\\033[31mred\\033[0m\\033[2J\\n'`,
      `printf 'exe\\342\\200\\256gpj\\n'`,
    ].join('\n');
    const id = await farm.submit(farm.scenario([{ name: 'a', body: nasty }]));
    await farm.atRest(id);
    const page = await openLog(id);
    await page.getByText('<img src=x onerror="document.title=1"><script>document.title=2</script>').waitFor();
    await page.getByText('␛]0;pwned␇').waitFor();
    expect(await page.getByText('red', { exact: true }).getAttribute('class')).toBe('fg-red');
    await page.getByText('exe⟨U+202E⟩gpj').waitFor();
    expect(await page.locator('.log img, .log script').count()).toBe(0);
    expect(await page.title()).toContain('distrofarm');
  });

  it('is searched where it is not in memory, and a line of it has an address', async () => {
    // 10 MB: far more than the page holds.
    const body = `seq -f 'line %.0f of many, and some more words to make it longer' 1 100000; echo 'E: at last'; seq 100001 100100`;
    const id = await farm.submit(farm.scenario([{ name: 'a', body }]));
    await farm.atRest(id);
    const page = await openLog(id);
    await page
      .getByRole('option')
      .filter({ hasText: /100100$/ })
      .waitFor();
    await page.getByRole('searchbox').fill('line 50000 ');
    await page.getByRole('button', { name: 'Previous' }).click();
    const found = page.getByRole('option', { selected: true });
    await found.filter({ hasText: 'line 50000 of many' }).waitFor();
    const address = page.url();
    expect(address).toMatch(/\?at=\d+$/);
    await page.getByRole('listbox').press('ArrowDown');
    await found.filter({ hasText: 'line 50001 of many' }).waitFor();
    await page.getByRole('searchbox').fill('');
    await page.getByLabel('Level').selectOption('errors');
    await page.getByRole('button', { name: 'Next' }).click();
    await found.filter({ hasText: 'E: at last' }).waitFor();
    await page.goto(address);
    await found.filter({ hasText: 'line 50000 of many' }).waitFor();
    // What is in the document is what is seen, and little around it.
    expect(await page.getByRole('option').count()).toBeLessThan(150);
    expect(browser.complaints.filter((text) => !/ERR_|status of/.test(text))).toEqual([]);
  });

  it('of 200 MB, hostile in parts, is opened, leapt through, searched and linked into', async () => {
    const id = await farm.submit(farm.scenario([{ name: 'loud' }]));
    const attempt = (await farm.atRest(id)).jobs[0]!.attempts[0]!.id;
    const { lines } = await plantLargeLog(farm, attempt, 200 * 1024 ** 2);
    const page = await openLog(id);
    const numbered = (n: number) => page.getByRole('option').filter({ hasText: `line ${n} of many` });
    const selected = page.getByRole('option', { selected: true });
    await numbered(lines - 1).waitFor();
    await page.getByText('The end of the log.').waitFor();
    await page.getByLabel('Position in the log').fill(String(100 * 1024 ** 2));
    await numbered(lines - 1).waitFor({ state: 'detached' });
    await page.getByRole('option').filter({ hasText: 'of many' }).first().waitFor();
    await page.getByRole('listbox').press('Home');
    await numbered(0).waitFor();
    await page.getByRole('searchbox').fill(`line ${lines - 3000} of`);
    await page.getByRole('button', { name: 'Next' }).click();
    await selected.filter({ hasText: `line ${lines - 3000} of many` }).waitFor();
    const address = page.url();
    for (const [words, shown] of [
      ['pwned', '␛]0;pwned␇␛]8;;http://evil.test␇link␛]8;;␇'],
      ['gpj', 'exe⟨U+202E⟩gpj.⟨U+2066⟩x⟨U+2069⟩ zero⟨U+200B⟩width'],
      ['nul', 'NUL ␀ here, ␈␈␈␡'],
      ['<img', '<img src=x onerror="document.title=1"><script>document.title=2</script>'],
      ['f\ufffd\ufffd', 'f\ufffd\ufffd\ufffd('],
    ] as const) {
      await page.getByRole('searchbox').fill(words);
      await page.getByRole('button', { name: 'Previous' }).click();
      await selected.filter({ hasText: shown }).waitFor();
    }
    await page.getByRole('searchbox').fill('');
    await page.getByLabel('Level').selectOption('errors');
    await page.getByRole('button', { name: 'Previous' }).click();
    await selected.filter({ hasText: /error: e+ … \d+ more characters/ }).waitFor();
    // The same line for whoever is given its address.
    await page.goto(address);
    await selected.filter({ hasText: `line ${lines - 3000} of many` }).waitFor();
    expect(await page.locator('.log img, .log script, .log a').count()).toBe(0);
    expect(await page.getByRole('option').count()).toBeLessThan(150);
  });
});
