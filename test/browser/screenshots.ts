// Needs redis-server, root, Chromium, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { startDemoFarm } from '../support/demo-farm.js';
import { dropFiles, TestBrowser, type PageOptions } from '../support/test-browser.js';

const folder = resolve(process.argv[2] ?? 'screenshots');
const LOOKS: Readonly<Record<string, PageOptions>> = {
  light: { scheme: 'light' },
  dark: { scheme: 'dark' },
  phone: { scheme: 'light', width: 390, height: 844 },
};

/** Those that the README shows: also written small. */
const FOR_README: readonly string[] = ['overview-light', 'matrix-dark', 'log-light'];

await mkdir(folder, { recursive: true });
const demo = await startDemoFarm();
const { farm } = demo;
const attempt = (await farm.build(demo.single)).jobs[0]?.attempts.at(-1)?.id ?? '';
const pages: Readonly<Record<string, string>> = {
  overview: '/',
  builds: '/builds',
  matrix: `/builds/${demo.matrix}`,
  build: `/builds/${demo.single}`,
  failed: `/builds/${demo.failed}`,
  timeline: `/builds/${demo.handedOver}/timeline`,
  artifacts: `/builds/${demo.succeeded}/artifacts`,
  log: `/builds/${demo.single}/log/${attempt}`,
  diff: `/checkpoints/diff?from=${demo.states.from}&to=${demo.states.to}`,
  checkpoints: '/checkpoints',
  collection: '/checkpoints/collection',
  agents: '/agents',
  agent: '/agents/agent0',
  json: `/json/builds/${demo.failed}`,
  nowhere: '/nowhere',
};
try {
  for (const [look, options] of Object.entries(LOOKS)) await shoot(look, options);
  process.stdout.write(`${folder}\n`);
} finally {
  await demo.letGo();
  await farm.stop();
}

async function shoot(look: string, options: PageOptions): Promise<void> {
  const browser = await TestBrowser.start(options);
  try {
    const signIn = await browser.blank();
    await signIn.goto(farm.url);
    await signIn.getByLabel('API token').waitFor();
    await keep(signIn, `sign-in-${look}`);
    const page = await browser.open(farm.url, farm.adminToken);
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(farm.url + path);
      await page.getByRole('heading', { level: 1 }).waitFor();
      while ((await page.locator('.waiting').count()) > 0) await page.waitForTimeout(50);
      await keep(page, `${name}-${look}`);
    }
    await page.goto(`${farm.url}/submit`);
    await dropFiles(page, await wrongManifest());
    await page.getByRole('list', { name: 'Problems' }).waitFor();
    await keep(page, `submit-problems-${look}`);
    await dropFiles(page, demo.manifest, join(dirname(demo.manifest), 'steps'));
    await page.getByLabel('every combination of the values of axes').check();
    for (const axis of ['desktop', 'locale'])
      for (const box of await page
        .getByRole('group', { name: `Values of ${axis}` })
        .getByRole('checkbox')
        .all())
        await box.check();
    await page.getByText('over 12 variants').waitFor();
    await keep(page, `submit-${look}`);
    for (const complaint of browser.complaints) process.stderr.write(`${look}: ${complaint}\n`);
  } finally {
    await browser.stop();
  }
}

/** The demo's manifest as somebody writes it in the evening. */
async function wrongManifest(): Promise<string> {
  const path = join(dirname(demo.manifest), 'evening.xml');
  const text = await readFile(demo.manifest, 'utf8');
  await writeFile(path, text.replace('>true</stop', '>perhaps</stop').replace('"base"', '"b ase"'));
  return path;
}

async function keep(page: Page, name: string): Promise<void> {
  // Fonts and the first events have come by then.
  await page.waitForTimeout(400);
  const picture = await page.screenshot({ path: join(folder, `${name}.png`) });
  if (FOR_README.includes(name)) await writeFile(join(folder, `${name}.webp`), await small(page, picture));
}

/** As WebP, by the browser itself. */
async function small(page: Page, picture: Buffer): Promise<Buffer> {
  const blank = await page.context().newPage();
  const script = `(async () => {
    const image = new Image();
    image.src = 'data:image/png;base64,${picture.toString('base64')}';
    await image.decode();
    const canvas = Object.assign(document.createElement('canvas'), {
      width: 1000,
      height: Math.round((image.height * 1000) / image.width),
    });
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL('image/webp', 0.6);
  })()`;
  const url = await blank.evaluate<string>(script);
  await blank.close();
  return Buffer.from(url.slice(url.indexOf(',') + 1), 'base64');
}
