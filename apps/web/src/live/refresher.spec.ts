import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { describe, expect, it } from '@jest/globals';
import type { BuildId, FarmEvent } from '#libs/contracts';
import { Refresher } from './refresher.js';

const build = 'b-0000000001' as BuildId;
const event: FarmEvent = {
  seq: 1,
  at: 0,
  type: 'step-ended',
  build,
  job: null,
  attempt: null,
  agent: null,
  data: {},
};

/** Turns of everything that is due at once. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 0));
};

/** Answers wait until they are let through; pauses end at once. */
async function watching(...paths: readonly string[]) {
  const queries = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity, retry: false } } });
  const asked: string[] = [];
  const waiting: (() => void)[] = [];
  let isHeld = false;
  const queryFn = async (path: string): Promise<number> => {
    asked.push(path);
    if (isHeld) await new Promise<void>((resolve) => waiting.push(resolve));
    return asked.length;
  };
  const stops = paths.map((path) =>
    new QueryObserver(queries, { queryKey: [path], queryFn: () => queryFn(path) }).subscribe(() => undefined),
  );
  await settled();
  asked.length = 0;
  const refresher = new Refresher(queries, new AbortController().signal, () => Promise.resolve());
  return {
    queries,
    asked,
    refresher,
    hold: () => (isHeld = true),
    letThrough: () => {
      isHeld = false;
      for (const go of waiting.splice(0)) go();
    },
    stop: () => {
      for (const stop of stops) stop();
      queries.clear();
    },
  };
}

describe('what is on the page', () => {
  it('is asked for again when an event touches it, and only then', async () => {
    const { asked, refresher, stop } = await watching(`/builds/${build}`, '/builds/b-0000000002', '/whoami');
    refresher.take(event);
    await settled();
    expect(asked).toEqual([`/builds/${build}`]);
    stop();
  });

  it('is asked for once for a burst, and once more for what came during the answer', async () => {
    const { asked, refresher, hold, letThrough, stop } = await watching(`/builds/${build}`);
    hold();
    for (let count = 0; count < 50; count += 1) refresher.take(event);
    await settled();
    expect(asked).toHaveLength(1);
    for (let count = 0; count < 50; count += 1) refresher.take(event);
    await settled();
    expect(asked).toHaveLength(1);
    letThrough();
    await settled();
    expect(asked).toHaveLength(2);
    stop();
  });

  it('is all asked for when a connection was made', async () => {
    const { asked, refresher, stop } = await watching('/agents', '/whoami');
    refresher.everything();
    await settled();
    expect(asked.toSorted()).toEqual(['/agents', '/whoami']);
    stop();
  });

  it('is asked for when it is looked at again, where nobody looks now', async () => {
    const { asked, refresher, queries, stop } = await watching('/agents');
    stop();
    queries.setQueryData(['/agents'], 1);
    refresher.everything();
    await settled();
    expect(asked).toEqual([]);
    expect(queries.getQueryState(['/agents'])?.isInvalidated).toBe(true);
    queries.clear();
  });
});
