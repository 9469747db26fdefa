// Needs redis-server, PostgreSQL's server packages, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { processesWith } from '../support/processes-with.js';
import { farmDatabases } from '../support/depth.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

describe.each(farmDatabases('sqlite'))('steering builds, on %s', (database) => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database, agents: 1 });
  });
  afterAll(() => farm.stop());

  describe.each([
    ['', () => Promise.resolve()],
    [', the coordinator killed in the middle', () => farm.restartCoordinator()],
  ] as const)('%s', (_, inTheMiddle) => {
    it('pauses when the running step ends, and goes on from there', async () => {
      const scenario = farm.scenario([{ name: 'a' }, { name: 'b', body: 'hold b' }, { name: 'c' }]);
      const id = await farm.submit(scenario);
      await scenario.reached('b');
      expect(await farm.pause(id)).toMatchObject({ wish: 'pause', state: 'running' });
      await inTheMiddle();
      await farm.agentsKnow();
      await scenario.open('b');
      expect(await farm.atRest(id)).toMatchObject({ state: 'paused', steps: { done: 2 } });
      expect(await scenario.began()).toEqual(['a', 'b']);
      await inTheMiddle();
      await farm.resume(id);
      await inTheMiddle();
      expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded', steps: { done: 3 } });
      expect(await scenario.finished()).toEqual(['a', 'b', 'c']);
    });

    it('pauses before a named step, and again before a later one', async () => {
      const scenario = farm.scenario(
        ['a', 'b', 'c', 'd'].map((name) => ({ name, body: name === 'a' ? 'hold a' : '' })),
      );
      const id = await farm.submit(scenario, { pauseBefore: 'd' });
      await scenario.reached('a');
      await farm.pause(id, 'c');
      await inTheMiddle();
      await farm.agentsKnow();
      await scenario.open('a');
      expect(await farm.atRest(id)).toMatchObject({ state: 'paused', steps: { done: 2 } });
      await farm.call('POST', `/builds/${id}/resume`, { pauseBefore: 'd' });
      await inTheMiddle();
      expect(await farm.atRest(id)).toMatchObject({ state: 'paused', steps: { done: 3 } });
      await farm.resume(id);
      expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
      expect(await scenario.finished()).toEqual(['a', 'b', 'c', 'd']);
    });

    it('runs again from an earlier step, and nothing before it', async () => {
      const scenario = farm.scenario([
        { name: 'a' },
        { name: 'b', body: 'hold b; cat "$2/trace" > "$5/seen"' },
        { name: 'c', body: '[ -e "$S/well" ]' },
      ]);
      await scenario.open('b');
      const id = await farm.submit(scenario);
      expect(await farm.atRest(id)).toMatchObject({ state: 'failed', summary: 'failed in c' });
      await scenario.open('well');
      await scenario.shut('b');
      await farm.resume(id, 'b');
      await scenario.reached('b');
      await inTheMiddle();
      await scenario.open('b');
      expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
      expect(await scenario.began()).toEqual(['a', 'b', 'c', 'b', 'c']);
      // What b and c had done is gone from the workspace when b runs again.
      expect((await farm.bytes(`/builds/${id}/artifacts/default/seen`)).toString()).toBe('a\n');
      expect((await farm.build(id)).jobs[0]?.attempts).toHaveLength(2);
    });

    it('cancels a step with all that it started, and goes on from its last checkpoint', async () => {
      const scenario = farm.scenario([
        { name: 'a' },
        {
          name: 'b',
          body: `[ -e "$S/again" ] || { setsid sh -c 'exec sleep 1000.${process.pid}' & hold b; }`,
        },
      ]);
      const id = await farm.submit(scenario);
      await scenario.reached('b');
      expect(await processesWith(`1000.${process.pid}`)).not.toBe(0);
      await farm.cancel(id);
      await inTheMiddle();
      expect(await farm.atRest(id)).toMatchObject({ state: 'cancelled' });
      expect(await processesWith(`1000.${process.pid}`)).toBe(0);
      await scenario.open('again');
      await farm.resume(id);
      await inTheMiddle();
      expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
      expect(await scenario.began()).toEqual(['a', 'b', 'b']);
      expect(await scenario.finished()).toEqual(['a', 'b']);
    });
  });

  it('cancels what waits for an agent', async () => {
    const scenario = farm.scenario([{ name: 'a', body: 'hold a' }]);
    const running = await farm.submit(scenario);
    await scenario.reached('a');
    const waiting = farm.scenario([{ name: 'a' }]);
    const id = await farm.submit(waiting);
    expect(await farm.cancel(id)).toMatchObject({ state: 'cancelled' });
    await farm.resume(id);
    await scenario.open('a');
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(await farm.atRest(running)).toMatchObject({ state: 'succeeded' });
    expect(await waiting.began()).toEqual(['a']);
  });
});
