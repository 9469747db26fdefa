// Needs redis-server, root, Debian's chromium, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { describe, expect, it, jest } from '@jest/globals';
import { join } from 'node:path';
import { createToken, openDatabase } from '#libs/store';
import { farmInBrowser } from '../support/farm-in-browser.js';
import type { TestBrowser } from '../support/test-browser.js';
import type { TestFarm } from '../support/test-farm.js';

jest.setTimeout(120_000);

describe('signing in', () => {
  let farm: TestFarm;
  let browser: TestBrowser;
  farmInBrowser({}, (started) => ({ farm, browser } = started));

  it('wants a token that the farm knows, and keeps it out of every address', async () => {
    const page = await browser.blank();
    const addresses: string[] = [];
    page.on('request', (request) => addresses.push(request.url()));
    await page.goto(`${farm.url}/agents`);
    await page.getByLabel('API token').fill('dfu_0123456789012345678901234567890123456789');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('The token is not known here.').waitFor();
    await page.getByLabel('API token').fill(farm.adminToken);
    await page.getByRole('button', { name: 'Sign in' }).click();
    // Where one wanted to go, and there again after a reload of this tab.
    await page.getByRole('heading', { name: 'Agents' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Agents' }).waitFor();
    expect(addresses.length).toBeGreaterThan(5);
    expect(addresses.filter((address) => address.includes('dfu_'))).toEqual([]);
    expect(addresses.filter((address) => !address.startsWith(farm.url))).toEqual([]);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.reload();
    await page.getByLabel('API token').waitFor();
  });

  it('ends in words when the token expires in the middle, also while only the event stream is open', async () => {
    const database = await openDatabase({ kind: 'sqlite', path: join(farm.folder, 'coordinator/farm.db') });
    const soon = {
      user: 'eve',
      role: 'viewer',
      rights: [],
      note: '',
      expiresAt: Date.now() + 8_000,
    } as const;
    const { secret } = await createToken(database.db, soon, Date.now());
    await database.close();
    const page = await browser.open(farm.url, secret);
    await page.getByText('You were signed out: the token is expired.').waitFor();
    await page.getByLabel('API token').waitFor();
    expect(await page.getByRole('navigation', { name: 'Pages' }).count()).toBe(0);
  });

  it('does not offer what the role may not do, and says why', async () => {
    const page = await browser.open(farm.url, await farm.token({ user: 'vic', role: 'viewer' }), '/agents');
    for (const name of ['Enrol…', 'Pause…', 'Drain…']) {
      const button = page.getByRole('button', { name });
      await button.press('Enter');
      expect(await button.getAttribute('aria-disabled')).toBe('true');
      expect(await button.getAttribute('title')).toMatch(/^vic is a viewer; this needs an (operator|admin)$/);
    }
    expect(await page.getByRole('dialog').or(page.getByRole('alertdialog')).count()).toBe(0);
  });

  it('runs nothing but what the coordinator serves', async () => {
    const response = await fetch(`${farm.url}/builds/b-0000000000`);
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy.split(';')).toEqual(
      expect.arrayContaining(["default-src 'none'", "script-src 'self'", "style-src 'self'"]),
    );
    expect(policy).not.toMatch(/unsafe|https?:|data:|\*/);
    expect(response.headers.get('cache-control')).toBe('no-cache');
    const [, asset = ''] = /src="(\/assets\/[^"]+)"/.exec(await response.text()) ?? [];
    expect((await fetch(farm.url + asset)).headers.get('cache-control')).toBe(
      'public, max-age=31536000, immutable',
    );
    // What comes compressed is the same.
    const sent = async (encoding: string) =>
      await (await fetch(farm.url + asset, { headers: { 'Accept-Encoding': encoding } })).text();
    expect(await sent('gzip')).toBe(await sent('identity'));
    expect((await fetch(`${farm.url}/assets/none.js`)).status).toBe(404);
    expect((await fetch(`${farm.url}/api/v1/nothing`)).headers.get('content-type')).toContain(
      'application/json',
    );
    // Refused requests are written to the console, too: they are what the tests above asked for.
    expect(browser.complaints.filter((text) => !/status of 40[13]/.test(text))).toEqual([]);
  });
});
