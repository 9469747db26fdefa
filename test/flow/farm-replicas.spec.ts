// Needs redis-server, PostgreSQL's server programs, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Explanation, ReplicaLackList } from '#libs/contracts';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { farmDatabases } from '../support/depth.js';
import { replicasConformance, type ReplicatedFarm } from '../support/replicas-conformance.js';
import { TestFarm } from '../support/test-farm.js';

const makeStore: ReplicatedFarm['makeStore'] = (farm, index) =>
  Promise.resolve({
    place: null,
    lose: async () => await rm(join(farm.agentFolder(index), 'store'), { recursive: true, force: true }),
    remove: () => Promise.resolve(),
  });

// On ZFS and btrfs with SQLite: test/platform/farm-replicas.spec.ts.
for (const database of farmDatabases('postgres'))
  replicasConformance(`on folders, with ${database}`, { database, makeStore });

describe('a job whose buddy does not answer', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    const env = { DISTROFARM_REPLICA_WAIT_SECONDS: '1' };
    farm = await TestFarm.start({ database: 'sqlite', agents: 2, leaseSeconds: 600, env });
  });
  afterAll(() => farm.stop());

  it('goes on without it, and says so once', async () => {
    const scenario = farm.scenario([
      { name: 'a', body: 'hold a' },
      { name: 'b' },
      { name: 'c' },
      { name: 'd', body: 'hold d' },
    ]);
    const id = await farm.submit(scenario, { replicas: 1, onAgent: 'agent0' });
    await scenario.reached('a');
    await farm.agents[1]!.kill9();
    await scenario.open('a');
    await scenario.reached('d');
    const { lacking } = await farm.call<ReplicaLackList>('GET', '/replicas');
    expect(lacking).toEqual([expect.objectContaining({ build: id, lane: 'main', missing: 1, kind: 'late' })]);
    expect((await farm.call<Explanation>('GET', `/builds/${id}/explain`)).lacking).toHaveLength(1);
    await scenario.open('d');
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    const warnings = farm.events.all.filter(({ type, build }) => type === 'warning' && build === id);
    expect(warnings.map(({ data }) => data['text'])).toEqual([
      expect.stringMatching(
        /^going on without a copy of \.step_[ab]: after \d+ s it is still on its way to agent1\./,
      ),
    ]);
    expect(await scenario.began()).toEqual(['a', 'b', 'c', 'd']);
  });
});
