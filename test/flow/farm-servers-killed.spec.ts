// Needs redis-server, PostgreSQL's server packages, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

/** Longer than what clients of Redis wait before they try again, shorter than a lease. */
const OUTAGE_MS = 5_000;

describe.each(['sqlite', 'postgres'] as const)('the servers behind a farm, on %s', (database) => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database, agents: 1 });
  });
  afterAll(() => farm.stop());

  const faults: readonly (readonly [string, () => Promise<void>])[] = [
    [
      'Redis is killed and started again',
      async () => {
        await farm.redis.kill9();
        await farm.startRedis();
      },
    ],
    [
      'Redis is away for seconds',
      async () => {
        await farm.redis.end('SIGTERM');
        await sleep(OUTAGE_MS);
        await farm.startRedis();
      },
    ],
    [
      'Redis forgets everything',
      async () => {
        expect(await farm.redisCli('flushall')).toBe('OK');
      },
    ],
    ...(database === 'postgres'
      ? ([
          ['PostgreSQL is restarted', () => farm.postgres.restart()],
          ['PostgreSQL crashes', () => farm.postgres.restart('immediate')],
        ] as const)
      : []),
  ];

  it.each(faults)('when %s, nothing is lost and nothing runs twice', async (_, fault) => {
    const scenario = farm.scenario([
      { name: 'a' },
      { name: 'b', body: 'hold b; echo b > "$5/b"' },
      { name: 'c' },
    ]);
    const waiting = farm.scenario([{ name: 'x' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('b');
    // The agent's one slot is taken: this one waits through the fault.
    const next = await farm.submit(waiting);
    await fault();
    await scenario.open('b');
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(await farm.atRest(next)).toMatchObject({ state: 'succeeded' });
    expect(await scenario.truth()).toEqual(
      ['a', 'b', 'c'].flatMap((step) => [`${step} begin`, `${step} end`]),
    );
    expect(await waiting.began()).toEqual(['x']);
    expect((await farm.build(id)).jobs[0]).toMatchObject({ retries: 0, attempts: { length: 1 } });
  });

  it('takes submissions while Redis is away, and builds them afterwards', async () => {
    await farm.redis.end('SIGTERM');
    const scenario = farm.scenario([{ name: 'a' }]);
    const id = await farm.submit(scenario);
    expect(await farm.call('GET', '/health')).toMatchObject({ status: 'degraded', database: 'ok' });
    await farm.startRedis();
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(await scenario.began()).toEqual(['a']);
  });

  it('hands out what was on its way when Redis forgot it', async () => {
    // Assigned, and told to nobody: the agent is not there to fetch it.
    await farm.agents[0]!.kill9();
    const scenario = farm.scenario([{ name: 'a' }]);
    const id = await farm.submit(scenario);
    await farm.events.until(({ type, build }) => type === 'job-assigned' && build === id);
    await farm.redisCli('flushall');
    await farm.startAgent();
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(await scenario.began()).toEqual(['a']);
  });
});
