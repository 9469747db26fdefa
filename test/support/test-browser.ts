import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface PageOptions {
  readonly scheme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
  readonly pixelRatio?: number;
}

/** Debian's Chromium, with a profile of its own that ends with it. */
export class TestBrowser {
  /** What pages have written to their consoles as errors, refusals of the Content-Security-Policy among them, and what they have thrown. */
  readonly complaints: string[] = [];

  private constructor(
    private readonly context: BrowserContext,
    private readonly profile: string,
  ) {}

  static async start(options: PageOptions = {}): Promise<TestBrowser> {
    if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is not there: scripts/setup.sh test installs it`);
    const profile = await mkdtemp(join(tmpdir(), 'test-browser-'));
    const { scheme = 'light', width = 1360, height = 860, pixelRatio = 1 } = options;
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM,
      args: ARGUMENTS,
      headless: true,
      colorScheme: scheme,
      viewport: { width, height },
      deviceScaleFactor: pixelRatio,
      acceptDownloads: true,
    });
    context.setDefaultTimeout(20_000);
    return new TestBrowser(context, profile);
  }

  /** A page that is signed in, at an address of the farm. */
  async open(url: string, token: string, path = '/'): Promise<Page> {
    const page = await this.blank();
    await page.goto(url);
    await page.getByLabel('API token').fill(token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    if (path !== '/') await page.goto(url + path);
    return page;
  }

  async blank(): Promise<Page> {
    const page = await this.context.newPage();
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
    return page;
  }

  /** All that were opened: a browser has six connections to a farm, and each page that follows it has one. */
  async closePages(): Promise<void> {
    // The first is the profile's own: without any page the browser ends.
    await Promise.all(
      this.context
        .pages()
        .slice(1)
        .map((page) => page.close()),
    );
  }

  async stop(): Promise<void> {
    await this.context.close();
    await rm(this.profile, { recursive: true, force: true });
  }
}

/** Drags files and folders of this host onto a page that takes them, as a file manager does. */
export async function dropFiles(page: Page, ...paths: readonly string[]): Promise<void> {
  await page.getByRole('region', { name: 'Drop a manifest' }).waitFor();
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [...paths], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await session.send('Input.dispatchDragEvent', { type, x: 200, y: 120, data });
  await session.detach();
}
