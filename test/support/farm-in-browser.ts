import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { TestBrowser, type PageOptions } from './test-browser.js';
import { TestFarm, type FarmOptions } from './test-farm.js';

export interface FarmInBrowser {
  readonly farm: TestFarm;
  readonly browser: TestBrowser;
}

export interface FarmInBrowserOptions extends Partial<FarmOptions> {
  readonly look?: PageOptions;
}

/**
 * One farm and one browser for all tests of the `describe` in which this is called; `use` is told of them in front of the first test, and of `beforeAll`s
 * that stand behind this. Pages are closed behind each test. Default: one agent.
 */
export function farmInBrowser(options: FarmInBrowserOptions, use: (started: FarmInBrowser) => void): void {
  const { look, ...farmOptions } = options;
  let farm: TestFarm | null = null;
  let browser: TestBrowser | null = null;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'sqlite', agents: 1, ...farmOptions });
    browser = await TestBrowser.start(look);
    use({ farm, browser });
  });
  afterEach(() => browser?.closePages());
  afterAll(async () => {
    await browser?.stop();
    await farm?.stop();
  });
}
