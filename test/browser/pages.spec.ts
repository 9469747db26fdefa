// Needs redis-server, root, Debian's chromium, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { CheckpointTrie } from '#libs/contracts';
import type { Page } from 'playwright-core';
import { TestBrowser } from '../support/test-browser.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(120_000);

interface Finding {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary?: string }[];
}

const PAGES = [
  '/',
  '/builds',
  '/builds/B',
  '/builds/B/timeline',
  '/builds/B/artifacts',
  '/builds/M',
  '/builds/B/log/A',
  '/checkpoints',
  '/checkpoints?at=K',
  '/checkpoints/collection',
  '/agents',
  '/agents/agent0',
  '/json/agents',
  '/nowhere',
];

describe('every page', () => {
  let farm: TestFarm;
  let axe: string;
  /** What stands for the builds, the attempt and the step key in PAGES. */
  let places: Readonly<Record<string, string>>;
  beforeAll(async () => {
    axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    farm = await TestFarm.start({ database: 'sqlite', agents: 1 });
    const body = `printf '\\033[31mred \\033[32mgreen \\033[33myellow \\033[34mblue\\033[0m\\n'; echo 'W: careful'; echo x > "$5/x"`;
    const one = await farm.submit(
      farm.scenario([
        { name: 'a', body },
        { name: 'b', body: 'exit 3' },
      ]),
    );
    await farm.atRest(one);
    const held = farm.scenario([{ name: 'a', body: 'hold a' }], {
      variants: `<farm:variants>${[1, 2, 3, 4].map((n) => `<farm:variant name="v${n}"/>`).join('')}</farm:variants>`,
    });
    const many = await farm.submit(held);
    await held.reached('a');
    const attempt = (await farm.build(one)).jobs[0]?.attempts[0]?.id ?? '';
    const { levels } = await farm.call<CheckpointTrie>('GET', '/checkpoints/trie');
    places = { B: one, M: many, A: attempt, K: levels[0]?.nodes[0]?.id ?? '' };
  });
  afterAll(() => farm.stop());

  const addressOf = (path: string): string => path.replace(/\b[BMAK]\b/g, (name) => places[name] ?? name);

  async function shown(page: Page, path: string): Promise<void> {
    await page.goto(farm.url + addressOf(path));
    await page.getByRole('heading', { level: 1 }).waitFor();
    while ((await page.locator('.waiting').count()) > 0) await page.waitForTimeout(50);
  }

  async function findings(page: Page): Promise<readonly string[]> {
    await page.evaluate(axe);
    const { violations } = await page.evaluate<{ violations: readonly Finding[] }>('axe.run()');
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes[0]?.target.join(' ')} ${nodes[0]?.failureSummary ?? ''}`);
  }

  it.each(['light', 'dark'] as const)('has no serious finding of axe, %s', async (scheme) => {
    const browser = await TestBrowser.start({ scheme });
    try {
      const signIn = await browser.blank();
      await signIn.goto(farm.url);
      await signIn.getByLabel('API token').waitFor();
      expect(await findings(signIn)).toEqual([]);
      const page = await browser.open(farm.url, farm.adminToken);
      for (const path of PAGES) {
        await shown(page, path);
        expect({ path, found: await findings(page) }).toEqual({ path, found: [] });
      }
      await shown(page, '/agents');
      await page.getByRole('button', { name: 'Enrol…' }).click();
      await page.getByRole('dialog').waitFor();
      expect(await findings(page)).toEqual([]);
      expect(browser.complaints).toEqual([]);
    } finally {
      await browser.stop();
    }
  });

  it("fits a phone's width, and links to its data", async () => {
    const browser = await TestBrowser.start({ width: 390, height: 844 });
    try {
      const page = await browser.open(farm.url, farm.adminToken);
      for (const path of PAGES) {
        await shown(page, path);
        const over = await page.evaluate<number>(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        expect({ path, over }).toEqual({ path, over: 0 });
      }
      await shown(page, '/builds/B');
      await page.getByRole('link', { name: 'JSON' }).click();
      await page.getByText('"manifestSha256"').waitFor();
    } finally {
      await browser.stop();
    }
  });

  it('says in words what is wrong with the farm, and goes on when it is mended', async () => {
    const browser = await TestBrowser.start();
    try {
      const page = await browser.open(farm.url, farm.adminToken);
      await page.goto(`${farm.url}/builds/b-zzzzzzzzzz`);
      await page.getByText('There is no build "b-zzzzzzzzzz".').waitFor();
      await page.route('**/api/v1/agents', (route) =>
        route.fulfill({
          status: 500,
          json: {
            code: 'INTERNAL',
            message: 'the coordinator failed at this',
            hint: 'Its log says more.',
            problems: [],
          },
        }),
      );
      await page.goto(`${farm.url}/agents`);
      await page.getByRole('alert').getByText('The coordinator failed at this.').waitFor();
      await page.unroute('**/api/v1/agents');
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByRole('row', { name: /agent0/ }).waitFor();
      let answer: () => void = () => undefined;
      const late = new Promise<void>((resolve) => (answer = resolve));
      await page.route('**/api/v1/agents/agent0', async (route) => {
        await late;
        await route.continue();
      });
      await page.getByRole('link', { name: 'agent0' }).click();
      await page.getByText('The farm takes long to answer; still waiting for agent agent0.').waitFor();
      answer();
      await page.getByRole('heading', { name: 'agent0' }).waitFor();
    } finally {
      await browser.stop();
    }
  });

  it('enrols an agent by one command', async () => {
    const browser = await TestBrowser.start();
    try {
      const page = await browser.open(farm.url, farm.adminToken, '/agents');
      await page.getByRole('button', { name: 'Enrol…' }).click();
      await page.getByRole('textbox').fill('tank');
      await page.getByRole('button', { name: 'Make the command' }).click();
      const command = page.getByLabel('Command to run on the host');
      expect(await command.textContent()).toMatch(/distrofarm-agent enrol .*dfe_/);
      await page.getByRole('button', { name: 'Done' }).click();
      await page
        .getByRole('row', { name: /agent0/ })
        .getByRole('button', { name: 'Drain…' })
        .click();
      await page.getByLabel(/Let its jobs go on/).check();
      await page.getByRole('alertdialog').getByRole('textbox').fill('new disks');
      await page.getByRole('button', { name: 'Drain it' }).click();
      await page.getByRole('row', { name: /draining.*new disks/ }).waitFor();
      await page.getByRole('button', { name: 'Undrain' }).click();
      await page.getByRole('row', { name: /busy.*agent0/ }).waitFor();
    } finally {
      await browser.stop();
    }
  });
});
