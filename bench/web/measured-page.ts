import { writeFile } from 'node:fs/promises';
import type { CDPSession, Page } from 'playwright-core';
import { TestBrowser } from '../../test/support/test-browser.js';

/** What happened in the page since `forget`, in milliseconds. */
export interface Seen {
  /** Of tasks of the main thread that took 50 ms or more; the browser tells of no others. */
  readonly tasks: readonly number[];
  /** Between two frames. */
  readonly frames: readonly number[];
}

/** Runs in the page before anything of the farm's. */
const PROBE = `
  window.seen = { tasks: [], frames: [] };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) seen.tasks.push(duration);
  }).observe({ type: 'longtask', buffered: true });
  let last = performance.now();
  const frame = (now) => {
    seen.frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
`;

/** A page of Chromium that is signed in, and tells how its main thread and its memory are. */
export class MeasuredPage {
  private constructor(
    private readonly browser: TestBrowser,
    readonly page: Page,
    readonly devtools: CDPSession,
  ) {}

  /** Nothing is in its cache, and nothing is loaded yet. */
  static async start(token: string): Promise<MeasuredPage> {
    const browser = await TestBrowser.start();
    const page = await browser.blank();
    page.setDefaultTimeout(120_000);
    await page.addInitScript(`sessionStorage.setItem('distrofarm-token', '${token}')`);
    await page.addInitScript(PROBE);
    return new MeasuredPage(browser, page, await page.context().newCDPSession(page));
  }

  async forget(): Promise<void> {
    await this.page.evaluate('seen.tasks.length = 0; seen.frames.length = 0');
  }

  async seen(): Promise<Seen> {
    return await this.page.evaluate<Seen>('seen');
  }

  /** Of its script, once what is garbage is gone. Bytes. */
  async memory(): Promise<number> {
    await this.devtools.send('HeapProfiler.collectGarbage');
    await this.devtools.send('Performance.enable');
    const { metrics } = await this.devtools.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? NaN;
  }

  /** DISTROFARM_BENCH_PROFILE=folder keeps a CPU profile of the work there, for the developer tools. */
  async profiled<T>(name: string, work: () => Promise<T>): Promise<T> {
    const folder = process.env['DISTROFARM_BENCH_PROFILE'];
    if (folder === undefined) return await work();
    await this.devtools.send('Profiler.enable');
    await this.devtools.send('Profiler.start');
    const result = await work();
    const { profile } = await this.devtools.send('Profiler.stop');
    await writeFile(`${folder}/${name}.cpuprofile`, JSON.stringify(profile));
    return result;
  }

  async stop(): Promise<void> {
    await this.browser.stop();
  }
}

/** `61 ms`; of a page without any, what the browser tells of: less than 50 ms. */
export function longestTask({ tasks }: Seen): string {
  return tasks.length === 0 ? 'under 50 ms' : `${Math.max(...tasks).toFixed(0)} ms`;
}
