// Needs redis-server, PostgreSQL's server packages, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Health } from '#libs/contracts';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

describe('two coordinators on one PostgreSQL and one Redis', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'postgres', agents: 0, coordinators: 2 });
  });
  afterAll(() => farm.stop());

  async function schedules(index: number): Promise<boolean> {
    const health = await farm.clientFor(null, farm.urls[index]).json<Health>('GET', '/api/v1/health');
    return health?.scheduling === true;
  }

  it('one schedules, all serve, and the duty moves when the one is killed', async () => {
    expect([await schedules(0), await schedules(1)]).toEqual([true, false]);
    const agent = await farm.addAgent({ DISTROFARM_COORDINATOR: farm.urls[1]! });
    const scenario = farm.scenario([{ name: 'a' }, { name: 'b', body: 'hold b' }, { name: 'c' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('b');
    await farm.coordinators[0]!.kill9();
    // Nothing that runs has noticed; and what comes now is scheduled by the other one.
    const next = farm.scenario([{ name: 'x' }]);
    const survivor = farm.clientFor(farm.adminToken, farm.urls[1]);
    const body = next.submission;
    await next.write();
    const submitted = await survivor.json<{ build: { id: string } }>('POST', '/api/v1/builds', body);
    await scenario.open('b');
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(await farm.atRest(submitted!.build.id)).toMatchObject({ state: 'succeeded' });
    expect(await scenario.began()).toEqual(['a', 'b', 'c']);
    expect(await next.began()).toEqual(['x']);
    expect(await schedules(1)).toBe(true);
    expect(agent.isRunning).toBe(true);

    await farm.startCoordinator(0);
    expect([await schedules(0), await schedules(1)]).toEqual([false, true]);
    const seqs = farm.events.all.map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from(seqs, (_, index) => index + 1));
  });
});
