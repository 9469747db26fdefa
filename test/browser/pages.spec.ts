// Needs redis-server, root, Debian's chromium, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright-core';
import type { CheckpointTrie } from '#libs/contracts';
import { dropFiles, TestBrowser } from '../support/test-browser.js';
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
  '/submit',
  '/checkpoints/diff?from=F&to=T',
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
  /** What stands for the builds, the attempt, the checkpoints and the step key in PAGES. */
  let places: Readonly<Record<string, string>>;
  /** A manifest on disk, with `steps` beside it; and one that has a problem, and an axis. */
  let manifests: { readonly good: string; readonly bad: string };
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
    const states = await farm.call<{ checkpoints: { id: string }[] }>('GET', `/checkpoints?build=${one}`);
    const [from, to] = states.checkpoints.map(({ id }) => id);
    const attempt = (await farm.build(one)).jobs[0]?.attempts[0]?.id ?? '';
    const { levels } = await farm.call<CheckpointTrie>('GET', '/checkpoints/trie');
    places = { B: one, M: many, A: attempt, F: from ?? '', T: to ?? '', K: levels[0]?.nodes[0]?.id ?? '' };
    const good = await held.write();
    const bad = join(dirname(good), 'bad.xml');
    await writeFile(bad, held.manifest.replace('"base"', '"b ase"'));
    manifests = { good, bad };
  });
  afterAll(() => farm.stop());

  const addressOf = (path: string): string => path.replace(/\b[BMAFTK]\b/g, (name) => places[name] ?? name);

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

  /** The page that submits, with something dropped on it: each time another thing to look at. */
  async function* submissions(page: Page): AsyncGenerator<string, void> {
    await shown(page, '/submit');
    await dropFiles(page, manifests.bad);
    await page.getByRole('heading', { name: 'One problem' }).waitFor();
    yield 'a problem';
    await dropFiles(page, manifests.good, join(dirname(manifests.good), 'steps'));
    await page.getByRole('grid').waitFor();
    yield 'a plan';
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
      for await (const path of submissions(page))
        expect({ path, found: await findings(page) }).toEqual({ path, found: [] });
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
      const over = async (): Promise<number> =>
        await page.evaluate<number>(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
      for (const path of PAGES) {
        await shown(page, path);
        expect({ path, over: await over() }).toEqual({ path, over: 0 });
        // Laid out as cards, only what says its role is still a table to a screen reader.
        const mute = await page.locator(':is(table, thead, tbody, tr, th, td):not([role])').count();
        expect({ path, mute }).toEqual({ path, mute: 0 });
      }
      for await (const path of submissions(page))
        expect({ path, over: await over() }).toEqual({ path, over: 0 });
      await shown(page, '/builds/B');
      await page.getByRole('link', { name: 'JSON' }).click();
      await page.getByText('"manifestSha256"').waitFor();
    } finally {
      await browser.stop();
    }
  });

  it('says in words that there is no such build', async () => {
    const browser = await TestBrowser.start();
    try {
      const page = await browser.open(farm.url, farm.adminToken);
      await page.goto(`${farm.url}/builds/b-zzzzzzzzzz`);
      await page.getByText('There is no build "b-zzzzzzzzzz".').waitFor();
    } finally {
      await browser.stop();
    }
  });
});
