// Needs redis-server, root, Debian's chromium, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Page, Route } from 'playwright-core';
import type { BuildDetail, WhoAmI } from '#libs/contracts';
import type { Scenario } from '../support/farm-scenario.js';
import { TestBrowser } from '../support/test-browser.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(120_000);

/** What an answer may be instead of what was asked for. */
type Bad = Parameters<Route['fulfill']>[0];

const HTML = { contentType: 'text/html', body: '<h1>Corporate proxy</h1>' };

describe('an answer that is none', () => {
  let farm: TestFarm;
  let browser: TestBrowser;
  let page: Page;
  /** One step that waits at gate `a`. */
  let held: Scenario;
  let build: string;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'sqlite', agents: 1 });
    browser = await TestBrowser.start();
    page = await browser.open(farm.url, farm.adminToken);
    held = farm.scenario([
      { name: 'a', body: 'hold a' },
      { name: 'b', body: 'hold b' },
    ]);
    build = await farm.submit(held);
    await held.reached('a');
  });
  afterEach(() => page.unrouteAll({ behavior: 'ignoreErrors' }));
  afterAll(async () => {
    await browser.stop();
    await farm.stop();
  });

  async function go(path: string): Promise<void> {
    await page.goto(farm.url + path);
  }

  /** An answer is bad from now on. Returns what mends it. */
  async function spoil(of: string, bad: Bad | 'broken'): Promise<() => Promise<void>> {
    await page.route(of, (route) => (bad === 'broken' ? route.abort() : route.fulfill(bad)));
    return () => page.unroute(of);
  }

  it.each<[string, Bad, RegExp]>([
    [
      "a fault in the coordinator's words",
      {
        status: 500,
        json: { code: 'INTERNAL', message: 'the coordinator failed at this', hint: 'Its log says more.' },
      },
      /^The coordinator failed at this\.$/,
    ],
    ['a fault without a reason', { status: 500 }, /^The farm answered with status 500, and no reason\.$/],
    ['a fault as HTML', { ...HTML, status: 500 }, /^The farm answered with status 500, and no reason\.$/],
    [
      'a refusal of a proxy',
      { ...HTML, status: 403 },
      /^What is in front of the farm does not allow this\.$/,
    ],
    ['no such address', { ...HTML, status: 404 }, /^The farm has nothing at this address of its API\.$/],
    ['a request that is too large', { status: 413 }, /^What was sent is larger than the farm/],
  ])('is told in words, and asked for again: %s', async (_, bad, words) => {
    // Else the page asks again by itself when the stream is there.
    await spoil('**/api/v1/events*', 'broken');
    const mend = await spoil('**/api/v1/builds?*', bad);
    await go('/builds');
    await page.getByRole('alert').getByText(words).waitFor();
    await mend();
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('table', { name: 'Builds' }).getByRole('link', { name: 'Tiny' }).first().waitFor();
  });

  it.each<[string, Bad | 'broken', string]>([
    [
      'HTML in place of data',
      HTML,
      'Something else than the farm answered: text/html came where data was expected.',
    ],
    [
      'half of it',
      { contentType: 'application/json', body: '{"agents":[{"id"' },
      'The answer of the farm broke off.',
    ],
    ['nothing', 'broken', 'The farm cannot be reached.'],
    ['too many requests', { status: 429, headers: { 'Retry-After': '1' } }, 'The farm was asked too often.'],
    [
      'a proxy that does not reach it',
      { ...HTML, status: 502 },
      'The proxy in front of the farm does not reach it.',
    ],
  ])('is told in words, and mends by itself: %s', async (_, bad, words) => {
    const mend = await spoil('**/api/v1/agents', bad);
    await go('/agents');
    await page.getByText(`${words} Trying again; still waiting for the agents.`).waitFor();
    await mend();
    await page.getByRole('row', { name: /agent0/ }).waitFor();
  });

  it('that comes late holds up nothing else', async () => {
    let answer: () => void = () => undefined;
    const late = new Promise<void>((resolve) => (answer = resolve));
    await page.route('**/api/v1/agents', async (route) => {
      await late;
      await route.continue();
    });
    await go('/');
    await page.getByText('The farm takes long to answer; still waiting for the agents.').waitFor();
    await page.getByRole('table', { name: 'Running builds' }).getByRole('link', { name: 'Tiny' }).click();
    await page.getByRole('gridcell', { name: /^default, a: running/ }).waitFor();
    answer();
    await page.getByRole('link', { name: 'Agents' }).click();
    await page.getByRole('row', { name: /agent0/ }).waitFor();
  });

  it('to an order is told where the order was given, and what was written there stays', async () => {
    const mend = await spoil('**/agents/agent0/drain', { ...HTML, status: 500 });
    await go('/agents/agent0');
    await page.getByRole('button', { name: 'Drain…' }).click();
    const dialog = page.getByRole('alertdialog');
    await dialog.getByRole('textbox').fill('new disks');
    await dialog.getByRole('button', { name: 'Drain it' }).click();
    await dialog.getByText('The farm answered with status 500, and no reason.').waitFor();
    await mend();
    await dialog.getByRole('button', { name: 'Drain it' }).click();
    await page.getByText('new disks').waitFor();
    await page.getByRole('button', { name: 'Undrain' }).click();
    await page.getByRole('button', { name: 'Drain…' }).waitFor();
  });

  it('that the token does not hold any more leads back to where one was', async () => {
    const place = `/builds/${build}/timeline`;
    await go(place);
    await page.getByRole('region', { name: 'Attempts over time' }).waitFor();
    const expired = { code: 'NOT_AUTHENTICATED', message: 'the token is expired', hint: null, problems: [] };
    await page.route('**/api/v1/**', (route) => route.fulfill({ status: 401, json: expired }));
    const pause = page.getByRole('button', { name: 'Pause', exact: true });
    // What the page asks for by itself may be refused before that.
    await pause.click({ timeout: 2000 }).catch(() => undefined);
    await page.getByText('You were signed out: the token is expired.').waitFor();
    await page.unroute('**/api/v1/**');
    await page.getByLabel('API token').fill(farm.adminToken);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('region', { name: 'Attempts over time' }).waitFor();
    expect(new URL(page.url()).pathname).toBe(place);
  });

  it.each(['{}', '[]', 'null', '"text"', '{"jobs":[{"steps":[null]}],"variants":["default"]}'])(
    'of a form that the page does not know leaves the rest of it usable: %s',
    async (body) => {
      const bad = { contentType: 'application/json', body };
      await spoil(`**/api/v1/builds/${build}`, bad);
      await go(`/builds/${build}`);
      await page.getByRole('heading', { name: 'This cannot be shown' }).waitFor();
      await page.getByText('The farm may be of another version than the page: load the page anew.').waitFor();
      await page.getByRole('link', { name: 'Agents' }).click();
      await page.getByRole('row', { name: /agent0/ }).waitFor();
      await page.unrouteAll();
      await page.goBack();
      await page.getByRole('gridcell', { name: /^default, a: running/ }).waitFor();
    },
  );

  it('of a newer farm, with states and fields that the page does not know, is shown as far as it goes', async () => {
    const detail = await farm.build(build);
    const newer = {
      ...detail,
      state: 'hibernating',
      carbon: { grams: 3 },
      jobs: detail.jobs.map((job) => ({ ...job, state: 'dreaming', zone: 'west' })),
    };
    await page.route(`**/api/v1/builds/${build}*`, (route) => route.fulfill({ json: newer }));
    await page.route(`**/api/v1/builds/${build}/changes*`, (route) =>
      route.fulfill({ json: { ...newer, standings: [] } }),
    );
    await go(`/builds/${build}`);
    await page.getByText('hibernating').first().waitFor();
    await page.getByRole('gridcell', { name: /^default, a: running/ }).waitFor();
  });

  it('for a part of the page is told, where the farm has another page by now', async () => {
    const attempt = (await farm.build(build)).jobs[0]?.attempts[0]?.id ?? '';
    await page.route('**/assets/log-page-*.js', (route) => route.fulfill({ status: 404 }));
    await go(`/builds/${build}/log/${attempt}`);
    await page.getByRole('heading', { name: 'This cannot be shown' }).waitFor();
    await page.unrouteAll();
    await page.getByRole('button', { name: 'Load the page anew' }).click();
    await page.getByRole('heading', { name: 'Log of main, attempt 1' }).waitFor();
  });

  it('in place of a log is told, and nothing of it is taken for lines', async () => {
    const attempt = (await farm.build(build)).jobs[0]?.attempts[0]?.id ?? '';
    const mend = await spoil(`**/attempts/${attempt}/log*`, HTML);
    await go(`/builds/${build}/log/${attempt}`);
    await page.getByText(/^Something else than the farm answered: text\/html came/).waitFor();
    expect(await page.getByText('Corporate proxy').count()).toBe(0);
    await mend();
    await page.getByText('Waiting for more.').waitFor();
  });

  it.each<[string, Bad | 'broken', RegExp]>([
    ['a fault', { status: 500 }, /The farm answered with status 500, and no reason\. Trying again\.$/],
    ['HTML', HTML, /Something else than the farm answered: text\/html .+ Trying again\.$/],
    ['nothing', 'broken', /The farm cannot be reached\. Trying again\.$/],
  ])('in place of events makes what is shown old: %s', async (_, bad, words) => {
    const mend = await spoil('**/api/v1/events*', bad);
    await go('/agents');
    await page.getByText(words).waitFor();
    await page.getByText(/^Old data: what you see is of/).waitFor();
    await mend();
    await page.locator('.old-data').waitFor({ state: 'hidden' });
  });

  it('with events twice, backwards and with holes makes nothing stand still', async () => {
    const told = [7, 7, 3, 900_000].map((seq) => {
      const event = {
        seq,
        at: 0,
        type: 'step-started',
        build,
        job: null,
        attempt: null,
        agent: null,
        data: {},
      };
      return `id: ${seq}\ndata: ${JSON.stringify(event)}\n\n`;
    });
    const asked: string[] = [];
    await page.route('**/api/v1/events*', (route) => {
      asked.push(new URL(route.request().url()).search);
      return asked.length === 1
        ? route.fulfill({ contentType: 'text/event-stream', body: told.join('') })
        : route.continue();
    });
    await go(`/builds/${build}`);
    await page.getByRole('gridcell', { name: /^default, a: running/ }).waitFor();
    while (asked.length < 2) await page.waitForTimeout(20);
    expect(asked[1]).toBe('?after=900000');
    await held.open('a');
    await page.getByRole('gridcell', { name: /^default, a: done/ }).waitFor();
    await page.getByRole('gridcell', { name: /^default, b: running/ }).waitFor();
  });

  it('of another version of the coordinator is told, and the new page is one click away', async () => {
    const mend = await spoil('**/api/v1/events*', 'broken');
    await go('/agents');
    await page.getByText(/^Old data: what you see is of/).waitFor();
    const whoami = await farm.call<WhoAmI>('GET', '/whoami');
    await page.route('**/api/v1/whoami', (route) =>
      route.fulfill({ json: { ...whoami, version: '99.0.0' } }),
    );
    await mend();
    await page.getByText(`The farm was changed from version ${whoami.version} to 99.0.0.`).waitFor();
    await page.getByRole('button', { name: 'Load the new page' }).click();
    await page.getByRole('row', { name: /agent0/ }).waitFor();
    expect(await page.getByText('The farm was changed from version').count()).toBe(0);
  });

  it('is neutral whatever others have written into it', async () => {
    const nasty = '\u202egpj.exe\u200b <script>document.title=1</script> \u2067';
    const scenario = farm.scenario([
      { name: 'c', message: `Step ${nasty.replaceAll('<', '&lt;')}`, body: 'hold c' },
    ]);
    const id = await farm.submit(scenario, { note: `${nasty}\u009b2J` });
    await farm.call('POST', '/agents/agent0/pause', { why: `${nasty}\u009b2J` });
    for (const path of [
      '/',
      '/builds',
      `/builds/${id}`,
      `/builds/${id}/timeline`,
      '/agents',
      '/agents/agent0',
      `/json/builds/${id}`,
    ]) {
      await go(path);
      await page.getByText('⟨U+202E⟩gpj.exe⟨U+200B⟩').first().waitFor();
      expect(await hidden(page)).toEqual([]);
    }
    await go(`/builds/${encodeURIComponent('\u202eb-1\u001b')}`);
    await page.getByRole('alert').waitFor();
    expect(await hidden(page)).toEqual([]);
    await farm.call('POST', '/agents/agent0/unpause');
    await farm.cancel(id);
    expect((await farm.call<BuildDetail>('GET', `/builds/${id}`)).note).toBe(`${nasty}\u009b2J`);
  });

  /** What is in the page's texts and attributes without being seen. */
  async function hidden(page: Page): Promise<readonly string[]> {
    return await page.evaluate<readonly string[]>(String.raw`
      [document.documentElement.outerHTML + document.title].flatMap((text) =>
        text.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g) ?? [])`);
  }
});
