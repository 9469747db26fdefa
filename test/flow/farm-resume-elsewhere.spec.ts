// Needs redis-server, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentView, BuildDetail, TakeoverList } from '#libs/contracts';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

describe('a job that goes on elsewhere', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'sqlite', agents: 2, transfersAreQuick: true });
  });
  afterAll(() => farm.stop());

  const steps = [
    { name: 'a', body: 'head -c 3000000 /dev/urandom > "$2/random"; echo A > "$5/a.iso"' },
    { name: 'b', body: 'ln "$2/random" "$2/hard"; chmod 4755 "$2/random"' },
    { name: 'c', body: 'sha256sum "$2/random" > "$5/c.txt"; echo more > "$2/more"' },
    {
      name: 'd',
      body: 'cmp "$2/random" "$2/hard"; [ -u "$2/random" ]; cat "$5/a.iso" "$2/more" > "$5/d.txt"',
    },
  ];
  const agentsOf = ({ jobs }: BuildDetail): readonly string[] =>
    jobs[0]!.attempts.map(({ agentName }) => agentName);
  const fetchedOf = (id: string): readonly unknown[] =>
    farm.events.all
      .filter(({ type, build }) => type === 'checkpoint-fetched' && build === id)
      .map(({ data }) => `${String(data['label'])} from ${String(data['from'])}`);
  const drain = async (name: string): Promise<unknown> =>
    await farm.call('POST', `/agents/${name}/drain`, { why: 'moving out' });
  const undrain = async (name: string): Promise<unknown> =>
    await farm.call('POST', `/agents/${name}/undrain`);

  it('runs no step again, brings the media along, and comes back with what is new only', async () => {
    const scenario = farm.scenario(steps);
    const id = await farm.submit(scenario, { pauseBefore: 'c' });
    const paused = await farm.atRest(id);
    const [first] = agentsOf(paused);
    const other = first === 'agent0' ? 'agent1' : 'agent0';
    await drain(first!);
    await farm.call('POST', `/builds/${id}/resume`, { pauseBefore: 'd' });
    expect(agentsOf(await farm.atRest(id))).toEqual([first, other]);
    expect(fetchedOf(id)).toEqual(['a', 'b', 'c'].map((step) => `.step_${step} from ${first}`));
    await undrain(first!);
    await drain(other);
    await farm.resume(id);
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    await undrain(other);
    expect(fetchedOf(id).slice(3)).toEqual([`.step_d from ${other}`]);
    const { takeovers } = await farm.call<TakeoverList>('GET', `/builds/${id}/takeovers`);
    const attempts = (await farm.build(id)).jobs[0]!.attempts.map((attempt) => attempt.id);
    expect(takeovers).toMatchObject([
      { from: attempts[0], to: attempts[1], before: 'c', carried: { how: 'fetched', source: first } },
      { from: attempts[1], to: attempts[2], before: 'd', carried: { how: 'fetched', source: other } },
    ]);
    expect(takeovers[0]!.carried!.bytes).toBeGreaterThan(3_000_000);
    expect(await scenario.began()).toEqual(['a', 'b', 'c', 'd']);
    const artifacts = await farm.artifacts(id);
    expect(artifacts.map(({ name }) => name).toSorted()).toEqual(['a.iso', 'c.txt', 'd.txt']);
    const bytes = await farm.bytes(`/builds/${id}/artifacts/default/d.txt`);
    expect(bytes.toString()).toBe('A\nmore\n');
  });

  it('goes on where a person says, and waits for that agent', async () => {
    const scenario = farm.scenario(steps);
    const id = await farm.submit(scenario, { pauseBefore: 'c' });
    const [first] = agentsOf(await farm.atRest(id));
    const other = first === 'agent0' ? 'agent1' : 'agent0';
    const resumeOn = async (onAgent: string): Promise<unknown> =>
      await farm.call('POST', `/builds/${id}/resume`, { onAgent, pauseBefore: 'd' });
    await expect(resumeOn('nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await drain(other);
    await resumeOn(other);
    const reason = `waits for agent ${other}, which is drained by admin: moving out`;
    await farm.buildThat(id, ({ jobs }) => jobs[0]?.waitingReason === reason);
    await farm.pause(id);
    await farm.atRest(id);
    await undrain(other);
    await resumeOn(other);
    expect(agentsOf(await farm.atRest(id))).toEqual([first, other]);
    await farm.call('POST', `/builds/${id}/resume`, { onAgent: first });
    const ended = await farm.atRest(id);
    expect(ended).toMatchObject({ state: 'succeeded' });
    expect(agentsOf(ended)).toEqual([first, other, first]);
    expect(await scenario.began()).toEqual(['a', 'b', 'c', 'd']);
  });

  /** Resolves when the agent has been told what is wished since this was called. */
  const hasHeard = async (name: string): Promise<void> => {
    const seen = async (): Promise<number | null> =>
      (await farm.call<AgentView>('GET', `/agents/${name}`)).lastSeenAt;
    for (let beat = 0; beat < 2; beat += 1) {
      for (const before = await seen(); (await seen()) === before;) await sleep(50);
    }
  };

  it.each<[string, object, boolean]>([
    ['leaves a drained agent at the next checkpoint', {}, true],
    ['stays on a drained agent that is to let it finish', { letFinish: true }, false],
  ])('%s', async (_, how, leaves) => {
    const scenario = farm.scenario([{ name: 'a' }, { name: 'b', body: 'hold b' }, { name: 'c' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('b');
    const [first] = agentsOf(await farm.build(id));
    const other = first === 'agent0' ? 'agent1' : 'agent0';
    await farm.call('POST', `/agents/${first}/drain`, { why: 'moving out', ...how });
    await hasHeard(first!);
    await scenario.open('b');
    const ended = await farm.atRest(id);
    expect(ended).toMatchObject({ state: 'succeeded', jobs: [{ retries: 0 }] });
    expect(agentsOf(ended)).toEqual(leaves ? [first, other] : [first]);
    expect(await scenario.began()).toEqual(['a', 'b', 'c']);
    const told = farm.events.of(id).filter(({ type }) => type === 'job-handed-over');
    const reason = `agent ${first} is drained by admin: moving out`;
    expect(told.map(({ data }) => [data['step'], data['reason']])).toEqual(leaves ? [['c', reason]] : []);
    await undrain(first!);
  });

  it('stays on a drained agent when nobody can take it', async () => {
    const scenario = farm.scenario([{ name: 'a', body: 'hold a' }, { name: 'b' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('a');
    const [first] = agentsOf(await farm.build(id));
    await Promise.all([drain('agent0'), drain('agent1')]);
    await hasHeard(first!);
    await scenario.open('a');
    const ended = await farm.atRest(id);
    expect(ended).toMatchObject({ state: 'succeeded' });
    expect(agentsOf(ended)).toEqual([first]);
    await Promise.all([undrain('agent0'), undrain('agent1')]);
  });

  it('is not sent where it could never run', async () => {
    const scenario = farm.scenario([{ name: 'a', body: '[ -e "$S/well" ]' }]);
    const id = await farm.submit(scenario);
    expect(await farm.atRest(id)).toMatchObject({ state: 'failed' });
    const strange = await farm.addAgent({ DISTROFARM_AGENT_ARCHITECTURES: 'riscv64' });
    const refused = farm.call('POST', `/builds/${id}/resume`, { onAgent: strange.name });
    await expect(refused).rejects.toMatchObject({
      code: 'UNPLACEABLE',
      body: {
        problems: [`lane main: it is to run on agent ${strange.name}, which is for riscv64, not for amd64`],
      },
    });
    await scenario.open('well');
    await farm.resume(id);
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
  });

  it('goes on from what there is when its agent is gone', async () => {
    const scenario = farm.scenario(steps);
    const id = await farm.submit(scenario, { pauseBefore: 'c' });
    const [first] = agentsOf(await farm.atRest(id));
    const index = Number(first!.slice(-1));
    await drain(first!);
    await farm.agents[index]!.kill9();
    await farm.resume(id);
    const ended = await farm.atRest(id);
    expect(ended).toMatchObject({ state: 'succeeded' });
    expect(agentsOf(ended)).toEqual([first, `agent${1 - index}`]);
    expect(await scenario.began()).toEqual(['a', 'b', 'a', 'b', 'c', 'd']);
    expect(await farm.log(id).then(String)).toMatch(/nobody can send the checkpoint \.step_a any more/);
    await farm.startAgent(index);
    await undrain(first!);
  });
});
