import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type {
  AgentView,
  AreaList,
  BuildDetail,
  BuildId,
  CheckpointPinList,
  CollectionReport,
} from '#libs/contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ScenarioStep } from './farm-scenario.js';
import type { AgentStore } from './replicas-conformance.js';
import { TestFarm, type FarmOptions } from './test-farm.js';

export interface CollectedFarm extends Pick<FarmOptions, 'database'> {
  /** One of a few hundred megabytes, that nothing else takes from. */
  readonly makeStore: (farm: TestFarm) => Promise<AgentStore>;
}

/** How checkpoints go from an agent with little room, whatever keeps them. Needs what TestFarm needs, and the store. */
export function collectionConformance(name: string, { database, makeStore }: CollectedFarm): void {
  jest.setTimeout(300_000);

  describe(`checkpoints on an agent with little room, ${name}`, () => {
    let farm: TestFarm;
    let store: AgentStore;
    /** What was free in the beginning. */
    let free: number;
    beforeAll(async () => {
      farm = await TestFarm.start({
        ...{ database, agents: 0 },
        env: { DISTROFARM_KEEP_NEWEST_CHECKPOINTS: '0' },
      });
      store = await makeStore(farm);
      await farm.addAgent({ DISTROFARM_AGENT_STORE: store.place! });
      free = (await agent()).facts.freeBytes;
    });
    afterAll(async () => {
      await farm.stop();
      await store.remove();
    });

    const agent = async (): Promise<AgentView> => await farm.call('GET', '/agents/agent0');
    const told = async (): Promise<void> => {
      await farm.wakeAgent('agent0');
      await sleep(100);
    };
    const areas = async (): Promise<AreaList['areas']> =>
      (await farm.call<AreaList>('GET', '/checkpoints/areas')).areas;
    /** A step that writes that share of what was free in the beginning. */
    const writes = (step: string, share: number): ScenarioStep => ({
      name: step,
      body: `head -c ${Math.floor(free * share)} /dev/urandom > "$2/${step}"`,
    });
    const build = async (...steps: readonly ScenarioStep[]): Promise<BuildDetail> =>
      await farm.atRest(await farm.submit(farm.scenario(steps)));
    /** A build that succeeded and takes an eighth; resolves when it was measured. */
    const finished = async (): Promise<BuildId> => {
      const { id, state } = await build(writes('fill', 0.125));
      expect(state).toBe('succeeded');
      while (!(await areas()).some((area) => area.build === id && (area.usedBytes ?? 0) > free / 10))
        await told();
      return id;
    };
    const remain = async (...ids: readonly BuildId[]): Promise<void> => {
      const wanted = ids.toSorted().join();
      while (
        (await areas())
          .map((area) => area.build)
          .toSorted()
          .join() !== wanted
      )
        await told();
    };
    const namesOf = ({ removals }: CollectionReport): readonly string[] =>
      removals.map(({ build: of, agentName, as }) => `${of} ${agentName} ${as}`);

    it('go when a person says so, as was shown before, but not those that are pinned', async () => {
      const [one, two, kept] = [await finished(), await finished(), await finished()];
      const { pins } = await farm.call<CheckpointPinList>('POST', `/checkpoints/${kept}/pin`, {
        why: 'release',
      });
      expect(pins).toMatchObject([{ build: kept, variant: null, user: 'admin', why: 'release' }]);
      const wanted = (await agent()).facts.freeBytes + Math.floor(free * 0.2);
      const shown = await farm.call<CollectionReport>(
        'GET',
        `/checkpoints/collection?agent=agent0&free=${wanted}`,
      );
      expect(namesOf(shown)).toEqual([`${one} agent0 finished`, `${two} agent0 finished`]);
      expect(shown.shortages).toEqual([]);
      expect((await areas()).map((area) => area.going)).toEqual([false, false, false]);
      const done = await farm.call<CollectionReport>('POST', '/checkpoints/collect', {
        agent: 'agent0',
        freeBytes: wanted,
      });
      expect(namesOf(done)).toEqual(namesOf(shown));
      await remain(kept);
      while ((await agent()).facts.freeBytes < wanted) await told();
      const all = await farm.call<CollectionReport>('GET', `/checkpoints/collection?free=${2 * free}`);
      expect(all).toMatchObject({
        removals: [],
        shortages: [{ agentName: 'agent0', why: expect.stringContaining('pins keep') }],
      });
      expect(all.shortages[0]!.pinnedBytes).toBeGreaterThan(free / 10);
      await farm.call('POST', `/checkpoints/${kept}/unpin`, {});
      const last = await farm.call<CollectionReport>('POST', '/checkpoints/collect', { freeBytes: 2 * free });
      expect(namesOf(last)).toEqual([`${kept} agent0 finished`]);
      await remain();
    });

    it('go when a step has filled the store, which then goes on in the same attempt', async () => {
      const [one, two, kept] = [await finished(), await finished(), await finished()];
      await farm.call('POST', `/checkpoints/${kept}/pin`, {});
      const scenario = farm.scenario([writes('first', 0.01), writes('big', 0.7)]);
      const id = await farm.submit(scenario);
      const { state, jobs } = await farm.atRest(id);
      expect([state, jobs[0]!.attempts.length]).toEqual(['succeeded', 1]);
      expect(await scenario.began()).toEqual(['first', 'big', 'big']);
      const warnings = farm.events.of(id).filter(({ type }) => type === 'warning');
      expect(warnings.map(({ data }) => data['text'])).toEqual([
        expect.stringMatching(/of room were made; trying again$/),
      ]);
      expect(String(await farm.log(id))).toMatch(new RegExp(`room: ${one}.default, ${two}.default removed`));
      await remain(kept, id);
      await farm.call('POST', `/checkpoints/${kept}/unpin`, {});
      await farm.call('POST', '/checkpoints/collect', { freeBytes: 2 * free });
      await remain();
    });

    it('go before a step that says how much room it needs', async () => {
      const old = await finished();
      const megabytes = Math.floor((free * 0.9) / 1_000_000);
      const { state, id } = await build({ name: 'needs', free: `${megabytes}M` });
      expect(state).toBe('succeeded');
      await remain(id);
      expect(old).not.toBe(id);
    });

    it('stay when a step would not fit without them either, and it fails as ever', async () => {
      const kept = await finished();
      await farm.call('POST', `/checkpoints/${kept}/pin`, {});
      const scenario = farm.scenario([writes('huge', 1.2)]);
      const id = await farm.submit(scenario);
      const { state } = await farm.buildThat(id, ({ jobs }) => (jobs[0]?.attempts[0]?.end ?? null) !== null);
      expect((await areas()).map((area) => area.build)).toContain(kept);
      if (state !== 'failed') await farm.cancel(id);
      await farm.atRest(id);
    });
  });
}
