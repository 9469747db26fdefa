import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { BuildId, FarmEvent, RedeemedTicket } from '#libs/contracts';
import { TestFarm, type FarmOptions } from './test-farm.js';

/** Where an agent keeps its checkpoints. */
export interface AgentStore {
  /** As DISTROFARM_AGENT_STORE says it; `null`: its own folder. */
  readonly place: string | null;
  /** All of it, as nobody ever plugs the host in again; with an empty one in its place, where that can be. */
  readonly lose: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

export interface ReplicatedFarm extends Pick<FarmOptions, 'database'> {
  readonly makeStore: (farm: TestFarm, index: number) => Promise<AgentStore>;
}

/** What a build's replicas are good for, whatever keeps them. Needs what TestFarm needs, and the stores. */
export function replicasConformance(name: string, { database, makeStore }: ReplicatedFarm): void {
  jest.setTimeout(300_000);

  describe(`a job whose host is lost, with one replica, ${name}`, () => {
    let farm: TestFarm;
    const stores: AgentStore[] = [];
    beforeAll(async () => {
      farm = await TestFarm.start({ database, agents: 0, leaseSeconds: 12 });
      for (const index of [0, 1, 2]) {
        const store = await makeStore(farm, index);
        stores.push(store);
        await farm.addAgent(store.place === null ? {} : { DISTROFARM_AGENT_STORE: store.place });
      }
    });
    afterAll(async () => {
      await farm.stop();
      for (const store of stores) await store.remove();
    });

    const indexOf = (agentName: string): number => Number(agentName.slice('agent'.length));
    const lose = async (index: number): Promise<void> => {
      await farm.agents[index]!.kill9();
      await stores[index]!.lose();
    };
    const backAll = async (): Promise<void> => {
      for (const [index, agent] of farm.agents.entries()) if (!agent.isRunning) await farm.startAgent(index);
    };
    const copiesOf = (id: string, label: string): readonly unknown[] =>
      farm.events.all
        .filter(
          ({ type, build, data }) =>
            type === 'checkpoint-replicated' && build === id && data['label'] === label,
        )
        .map(({ data }) => data['to']);
    const replicated = async (
      build: string,
      label: string,
      after = 0,
    ): Promise<Readonly<Record<string, unknown>>> => {
      const is = (data: Readonly<Record<string, unknown>>): boolean => data['label'] === label;
      const event = await farm.events.until(
        ({ type, build: of, data }) => type === 'checkpoint-replicated' && of === build && is(data),
        after,
      );
      return event.data;
    };
    /** Copies that came, and steps that were started, in the order in which the record knows them. */
    const order = (id: BuildId): readonly string[] => inOrder(farm.events.all, id);

    it('goes on in front of the step that ran, from the copy and without fetching anything', async () => {
      const scenario = farm.scenario([
        { name: 'a', body: 'head -c 3000000 /dev/urandom > "$2/random"' },
        { name: 'b', body: 'ln "$2/random" "$2/hard"; echo more > "$2/more"' },
        { name: 'c', body: 'hold c; cmp "$2/random" "$2/hard"' },
        { name: 'd', body: 'cat "$2/more" > "$5/d.txt"' },
      ]);
      const id = await farm.submit(scenario, { replicas: 1 });
      await scenario.reached('c');
      const { to } = await replicated(id, '.step_c');
      const [first] = (await farm.build(id)).jobs[0]!.attempts;
      await lose(indexOf(first!.agentName));
      await scenario.open('c');
      const ended = await farm.atRest(id);
      expect(ended).toMatchObject({ state: 'succeeded', replicas: 1 });
      expect(ended.jobs[0]!.attempts.map(({ agentName }) => agentName)).toEqual([first!.agentName, to]);
      expect(await scenario.began()).toEqual(['a', 'b', 'c', 'c', 'd']);
      expect(
        farm.events.all.filter(({ type, build }) => type === 'checkpoint-fetched' && build === id),
      ).toEqual([]);
    });

    it('is copied to another one when the agent with the copy is lost', async () => {
      const scenario = farm.scenario([{ name: 'a' }, { name: 'b', body: 'hold b' }]);
      await backAll();
      const id = await farm.submit(scenario, { replicas: 1 });
      await scenario.reached('b');
      const { to } = await replicated(id, '.step_b');
      const known = farm.events.lastSeq;
      await lose(indexOf(String(to)));
      const again = await replicated(id, '.step_b', known);
      expect(again['to']).not.toBe(to);
      await scenario.open('b');
      expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
      expect(await scenario.began()).toEqual(['a', 'b']);
    });

    it('is copied although coordinator and agents were killed in between', async () => {
      await backAll();
      const scenario = farm.scenario([
        { name: 'a' },
        { name: 'b', body: 'hold b' },
        { name: 'c', body: 'hold c' },
      ]);
      const id = await farm.submit(scenario, { replicas: 2, pauseBefore: 'c' });
      await scenario.reached('b');
      const host = indexOf((await farm.build(id)).jobs[0]!.attempts[0]!.agentName);
      const others = [0, 1, 2].filter((index) => index !== host);
      for (const index of others) await farm.agents[index]!.kill9();
      await scenario.open('b');
      await farm.atRest(id);
      await farm.restartCoordinator();
      for (const index of others) await farm.startAgent(index);
      const copies = farm.events.until(() => copiesOf(id, '.step_c').length === 2);
      await copies;
      expect(copiesOf(id, '.step_c').toSorted()).toEqual(others.map((index) => `agent${index}`));
      await farm.cancel(id);
    });

    it('is copied from the one before it, and a lane from where it forked', async () => {
      await backAll();
      const scenario = farm.scenario([
        { name: 'a' },
        { name: 'b' },
        { name: 'x', lane: 'x', body: 'echo x > "$2/out"', outputs: ['pkg_image/out'] },
        { name: 'y', lane: 'x', body: 'hold y' },
        { name: 'c' },
      ]);
      const id = await farm.submit(scenario, { replicas: 1 });
      await scenario.reached('y');
      await replicated(id, '.step_y');
      const sent = farm.agents
        .flatMap(({ output }) => output.split('\n'))
        .filter((line) => line.includes('"msg":"checkpoint sent"') && line.includes(`"${id}.default"`))
        .map((line) => JSON.parse(line) as RedeemedTicket)
        .map(({ checkpoint, base }) => `${checkpoint.label} from ${base?.label ?? 'nothing'}`);
      expect(sent).toEqual([
        '.step_a from nothing',
        '.step_b from .step_a',
        '.end_b from .step_b',
        '.step_x from .end_b',
        '.step_y from .step_x',
      ]);
      await scenario.open('y');
      expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    });

    it.each([
      ['the step before it', false, 1],
      ['it', true, 0],
    ])(
      'starts no step before the copies of the checkpoint in front of %s are there',
      async (_, waitForReplicas, ahead) => {
        await backAll();
        const names = Array.from('abcdefgh');
        const scenario = farm.scenario(
          names.map((name) => ({ name, body: 'head -c 200000 /dev/urandom > "$2/random"' })),
        );
        const id = await farm.submit(scenario, { replicas: 1, waitForReplicas });
        expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded', waitForReplicas });
        const happened = order(id);
        for (const [at, name] of names.entries()) {
          const copied = `copy .step_${names[at - ahead] ?? ''}`;
          if (at > 0) expect(happened.slice(0, happened.indexOf(`step ${name}`))).toContain(copied);
        }
        expect(farm.events.all.filter(({ type, build }) => type === 'warning' && build === id)).toEqual([]);
      },
    );
  });
}

function inOrder(events: readonly FarmEvent[], id: BuildId): readonly string[] {
  return events
    .filter(({ build }) => build === id)
    .flatMap(({ type, data }) => {
      if (type === 'step-started') return [`step ${String(data['step'])}`];
      return type === 'checkpoint-replicated' ? [`copy ${String(data['label'])}`] : [];
    });
}
