// Needs redis-server, root (which mounts a tmpfs), PostgreSQL's server programs, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { AreaList, BuildId, CheckpointPinList, DropReport } from '#libs/contracts';
import { execa } from 'execa';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { collectionConformance } from '../support/collection-conformance.js';
import type { AgentStore } from '../support/replicas-conformance.js';
import { farmDatabases } from '../support/depth.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

const STORE_BYTES = 192 * 1024 ** 2;

collectionConformance('on a folder (sqlite)', { database: 'sqlite', makeStore: smallDisk });

/** A disk of its own. */
async function smallDisk(): Promise<AgentStore> {
  const folder = await mkdtemp(join(tmpdir(), 'collection-disk-'));
  await execa('mount', ['-t', 'tmpfs', '-o', `size=${STORE_BYTES},mode=755`, 'tmpfs', folder]);
  const remove = async (): Promise<void> => {
    await execa('umount', ['--lazy', folder]);
    await rm(folder, { recursive: true });
  };
  return { place: join(folder, 'areas'), lose: remove, remove };
}

describe.each(farmDatabases('postgres'))('a budget for checkpoints (%s)', (database) => {
  let farm: TestFarm;
  beforeAll(async () => {
    const env = { DISTROFARM_KEEP_GB_PER_AGENT: '0.01', DISTROFARM_KEEP_NEWEST_CHECKPOINTS: '1' };
    farm = await TestFarm.start({ database, agents: 1, env });
  });
  afterAll(() => farm.stop());

  const areas = async (): Promise<AreaList['areas']> =>
    (await farm.call<AreaList>('GET', '/checkpoints/areas')).areas;
  const told = async (): Promise<void> => {
    await farm.wakeAgent('agent0');
    await sleep(100);
  };
  const measured = async (id: BuildId): Promise<void> => {
    while (!(await areas()).some(({ build, usedBytes }) => build === id && usedBytes !== null)) await told();
  };
  const build = async (): Promise<BuildId> => {
    const scenario = farm.scenario([{ name: 'a', body: 'head -c 6000000 /dev/urandom > "$2/a"' }]);
    const id = await farm.submit(scenario);
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    return id;
  };

  it('is kept by itself, the oldest first, but not by what is pinned, nor by what somebody may not touch', async () => {
    const first = await build();
    await measured(first);
    const ada = farm.clientFor(await farm.token({ user: 'ada', role: 'submitter' }));
    const refused = { status: 403 };
    await expect(ada.json('POST', `/api/v1/checkpoints/${first}/pin`, {})).rejects.toMatchObject(refused);
    await expect(ada.json('POST', '/api/v1/checkpoints/collect', {})).rejects.toMatchObject(refused);
    await expect(farm.call('POST', `/checkpoints/${first}/pin`, { variant: 'none' })).rejects.toMatchObject({
      status: 404,
    });
    await farm.call<CheckpointPinList>('POST', `/checkpoints/${first}/pin`, {
      variant: 'default',
      why: 'mine',
    });
    const [second, third] = [await build(), await build()];
    // Each takes more than half of the budget, and the first stays: so the second and the third go.
    for (;;) {
      const left = (await areas()).map((area) => area.build);
      if (!left.includes(second) && !left.includes(third)) break;
      await told();
    }
    expect(await areas()).toMatchObject([{ build: first, pinned: true, as: null }]);
    await expect(farm.call('POST', `/checkpoints/${first}/unpin`, {})).rejects.toMatchObject({ status: 404 });
    await farm.call('POST', `/checkpoints/${first}/unpin`, { variant: 'default' });
    const { entries } = await farm.call<{ entries: { action: string; target: string }[] }>(
      'GET',
      '/audit?limit=1000',
    );
    expect(entries.filter(({ action }) => action.startsWith('checkpoints.'))).toMatchObject([
      { action: 'checkpoints.unpin', target: first },
      { action: 'checkpoints.pin', target: first },
    ]);
  });

  it('does not keep what an operator drops, who sees before what goes and what stays', async () => {
    const scenario = farm.scenario([{ name: 'a' }, { name: 'b', body: 'hold b' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('b');
    const ada = farm.clientFor(await farm.token({ user: 'ada', role: 'submitter' }));
    const order = { build: id, why: 'useless' };
    await expect(ada.json('POST', '/api/v1/checkpoints/drop', order)).rejects.toMatchObject({ status: 403 });
    const plan = async (): Promise<DropReport> =>
      (await ada.json<DropReport>('GET', `/api/v1/checkpoints/drop?build=${id}`))!;
    const stays = (why: string) => ({ removals: [], refused: [{ build: id, agentName: 'agent0', why }] });
    expect(await plan()).toMatchObject(stays('a job works there, or an unfinished build goes on from it'));
    await expect(farm.call('POST', '/checkpoints/drop', order)).rejects.toMatchObject({ status: 409 });
    await scenario.open('b');
    await farm.atRest(id);
    await farm.call('POST', `/checkpoints/${id}/pin`, {});
    expect(await plan()).toMatchObject(stays('it is pinned: unpin it first'));
    await farm.call('POST', `/checkpoints/${id}/unpin`, {});
    const goes = {
      removals: [{ build: id, variant: 'default', agentName: 'agent0', as: 'newest' }],
      refused: [],
    };
    expect(await plan()).toMatchObject(goes);
    const known = farm.events.lastSeq;
    expect(await farm.call('POST', '/checkpoints/drop', order)).toMatchObject(goes);
    await farm.events.until(({ type, build: of }) => type === 'checkpoints-dropped' && of === id, known);
    expect((await areas()).map((area) => area.build)).not.toContain(id);
    await expect(farm.call('POST', '/checkpoints/drop', order)).rejects.toMatchObject({ status: 404 });
    const { entries } = await farm.call<{ entries: { action: string; why: string; target: string }[] }>(
      'GET',
      '/audit',
    );
    expect(entries[0]).toMatchObject({ action: 'checkpoints.drop', target: id, why: 'useless' });
  });
});
