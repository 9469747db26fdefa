// Needs redis-server, PostgreSQL's server packages, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { farmDatabases } from '../support/depth.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

describe.each(farmDatabases('postgres'))('an agent that is killed, on %s', (database) => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database, agents: 1 });
  });
  afterAll(() => farm.stop());

  it.each(['a', 'b', 'c'])(
    'at the boundary in front of %s, goes on from its checkpoint',
    async (boundary) => {
      // Each step waits, so that the boundary is all that there is when the agent is killed.
      const scenario = farm.scenario(
        ['a', 'b', 'c'].map((name) => ({ name, ...(name === boundary ? { body: 'hold gate' } : {}) })),
      );
      const id = await farm.submit(scenario);
      await farm.events.until(
        ({ type, build, data }) => build === id && type === 'checkpoint-taken' && data['step'] === boundary,
      );
      await farm.agents[0]!.kill9();
      await scenario.open('gate');
      await farm.startAgent();
      expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
      expect(await scenario.finished()).toEqual(['a', 'b', 'c']);
      const before = (await scenario.began()).filter((step) => step < boundary);
      expect(before).toEqual(['a', 'b', 'c'].filter((step) => step < boundary));
      expect((await farm.build(id)).jobs[0]).toMatchObject({ attempts: { length: 2 } });
    },
  );

  it('inside a step, runs that step again and no other', async () => {
    const scenario = farm.scenario([{ name: 'a' }, { name: 'b', body: 'hold b' }, { name: 'c' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('b');
    await farm.agents[0]!.kill9();
    await scenario.open('b');
    await farm.startAgent();
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(await scenario.began()).toEqual(['a', 'b', 'b', 'c']);
    const [attempt] = (await farm.build(id)).jobs[0]!.attempts;
    expect(attempt?.end).toMatchObject({ kind: 'infrastructure', fault: 'lost' });
  });

  it('three times at the same step, is given up, and goes on when a person says so', async () => {
    const scenario = farm.scenario([{ name: 'a' }, { name: 'b', body: 'hold b' }]);
    const id = await farm.submit(scenario);
    for (let time = 0; time < 3; time += 1) {
      await scenario.reached('b');
      await farm.agents[0]!.kill9();
      await scenario.shut('b');
      await farm.startAgent();
    }
    const failed = await farm.atRest(id);
    expect(failed).toMatchObject({
      state: 'failed',
      summary: expect.stringContaining('given up after 2 retries'),
    });
    expect(failed.jobs[0]).toMatchObject({ retries: 2, attempts: { length: 3 } });
    await scenario.open('b');
    await farm.resume(id);
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(await scenario.began()).toEqual(['a', 'b', 'b', 'b', 'b']);
    expect(await scenario.finished()).toEqual(['a', 'b']);
  });

  it('at every step, is not given up as long as the job gets on', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const scenario = farm.scenario(names.map((name) => ({ name, body: `hold ${name}` })));
    const id = await farm.submit(scenario);
    for (const name of names) {
      await scenario.reached(name);
      await farm.agents[0]!.kill9();
      await scenario.open(name);
      await farm.startAgent();
    }
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(await scenario.began()).toEqual(names.flatMap((name) => [name, name]));
    expect((await farm.build(id)).jobs[0]).toMatchObject({ attempts: { length: 5 } });
  });

  it('together with the coordinator, costs one step at most', async () => {
    const scenario = farm.scenario([{ name: 'a' }, { name: 'b', body: 'hold b' }, { name: 'c' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('b');
    await Promise.all([farm.agents[0]!.kill9(), farm.coordinators[0]!.kill9()]);
    await scenario.open('b');
    await farm.startCoordinator();
    await farm.startAgent();
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(await scenario.began()).toEqual(['a', 'b', 'b', 'c']);
  });
});
