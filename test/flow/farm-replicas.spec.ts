// Needs redis-server, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

describe('a job whose host is lost, with one replica', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'sqlite', agents: 3, leaseSeconds: 4 });
  });
  afterAll(() => farm.stop());

  const indexOf = (agentName: string): number => Number(agentName.slice('agent'.length));
  /** As nobody ever plugs it in again. */
  const lose = async (index: number): Promise<void> => {
    await farm.agents[index]!.kill9();
    await rm(join(farm.agentFolder(index), 'store'), { recursive: true, force: true });
  };
  const replicated = async (build: string, label: string): Promise<Readonly<Record<string, unknown>>> => {
    const is = (data: Readonly<Record<string, unknown>>): boolean => data['label'] === label;
    const event = await farm.events.until(
      ({ type, build: of, data }) => type === 'checkpoint-replicated' && of === build && is(data),
    );
    return event.data;
  };

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
});
