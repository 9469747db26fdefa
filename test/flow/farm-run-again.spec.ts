// Needs redis-server, PostgreSQL's server programs, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client } from 'pg';
import type { BuildDetail, Explanation } from '#libs/contracts';
import { said } from '../support/distrofarm.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

const STEPS = [
  { name: 'a', body: 'echo a > "$2/a"' },
  { name: 'b', body: 'echo b > "$2/b"' },
  { name: 'c' },
  { name: 'd', body: 'cat "$2/trace" > "$5/d.txt"' },
];

describe('a job whose steps are quicker than their checkpoints come', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'postgres', agents: 2 });
  });
  afterAll(() => farm.stop());
  /** As if the farm had moved these checkpoints often, over a thin line: 60 MB each. */
  async function comeIn(ms: number): Promise<void> {
    const record = new Client({ connectionString: farm.postgres.url });
    await record.connect();
    await record.query('delete from fetch_times');
    for (const { name } of STEPS)
      await record.query(
        'insert into fetch_times (store, distribution, label, bytes, ms, at) values ($1, $2, $3, $4, $5, $6)',
        ['directory', 'Tiny', `.step_${name}`, 60_000_000, ms, Date.now()],
      );
    await record.end();
  }

  const firstAgent = ({ jobs }: BuildDetail): string => jobs[0]!.attempts[0]!.agentName;
  const drain = async (name: string): Promise<unknown> =>
    await farm.call('POST', `/agents/${name}/drain`, { why: 'moving out' });
  const undrain = async (name: string): Promise<unknown> =>
    await farm.call('POST', `/agents/${name}/undrain`);
  const fetchedOf = (id: string): readonly unknown[] =>
    farm.events
      .of(id)
      .filter(({ type }) => type === 'checkpoint-fetched')
      .map(({ data }) => data['label']);
  const reasonsOf = (id: string): readonly unknown[] =>
    farm.events
      .of(id)
      .filter(({ type }) => type === 'job-assigned')
      .map(({ data }) => data['reason']);

  it('runs them again on another agent, and says so', async () => {
    await comeIn(20_000);
    const scenario = farm.scenario(STEPS);
    const id = await farm.submit(scenario, { pauseBefore: 'd' });
    const first = firstAgent(await farm.atRest(id));
    await drain(first);
    await farm.resume(id);
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    await undrain(first);
    expect(await scenario.began()).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'd']);
    expect(fetchedOf(id)).toEqual([]);
    expect(reasonsOf(id)[1]).toBe('runs 3 steps again (about 1 s) rather than fetching 240 MB (about 80 s)');
    expect(String(await farm.bytes(`/builds/${id}/artifacts/default/d.txt`))).toBe('a\nb\nc\n');
  });

  it('fetches them where a person named the step that it is to go on from', async () => {
    await comeIn(20_000);
    const scenario = farm.scenario(STEPS);
    const id = await farm.submit(scenario);
    const first = firstAgent(await farm.atRest(id));
    await drain(first);
    await farm.resume(id, 'c');
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    await undrain(first);
    expect(await scenario.began()).toEqual(['a', 'b', 'c', 'd', 'c', 'd']);
    expect(fetchedOf(id)).toEqual(['.step_a', '.step_b', '.step_c']);
  });

  it('fetches what is in front of a slow one, and no more', async () => {
    await comeIn(2_000);
    const scenario = farm.scenario([{ name: 'a', body: 'sleep 5' }, ...STEPS.slice(1)]);
    const id = await farm.submit(scenario, { pauseBefore: 'd' });
    const first = firstAgent(await farm.atRest(id));
    await drain(first);
    await farm.resume(id);
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    await undrain(first);
    expect(await scenario.began()).toEqual(['a', 'b', 'c', 'b', 'c', 'd']);
    expect(fetchedOf(id)).toEqual(['.step_a', '.step_b']);
  });

  describe('where another build has run them', () => {
    /** As if each step had always taken so long. */
    async function usuallyTake(ms: number): Promise<void> {
      const record = new Client({ connectionString: farm.postgres.url });
      await record.connect();
      await record.query('update step_times set ms = $1', [ms]);
      await record.end();
    }

    it.each([
      {
        ...{ what: 'fetches them, since they are slow', checkpointMs: 500, stepMs: 60_000 },
        weighed: (one: string): string =>
          `fetches 3 checkpoints of build ${one} from agent0 (180 MB at 120 MB/s, about 2 s) rather than running 3 steps (about 3 min)`,
        ...{ bytesPerSecond: 120_000_000, chosen: { checkpoints: 3, steps: 0, ms: 1_500 } },
        ...{ began: ['d'], fetched: ['.step_a', '.step_b', '.step_c', '.step_d'] },
      },
      {
        ...{ what: 'runs them, since they are quick', checkpointMs: 20_000, stepMs: 100 },
        weighed: (one: string): string =>
          `runs 3 steps (about 1 s) rather than fetching 3 checkpoints of build ${one} from agent0 (180 MB at 3.0 MB/s, about 60 s)`,
        ...{ bytesPerSecond: 3_000_000, chosen: { checkpoints: 0, steps: 3, ms: 300 } },
        ...{ began: ['a', 'b', 'c', 'd'], fetched: [] },
      },
    ])(
      '$what, and explains it',
      async ({ checkpointMs, stepMs, weighed, bytesPerSecond, chosen, began, fetched }) => {
        const steps = (d: string) =>
          STEPS.map((step) => ({
            ...step,
            reads: '',
            body: `: ${step.name === 'd' ? d : ''}\n${step.body ?? ''}`,
          }));
        const first = farm.scenario(steps('as it was'));
        const one = await farm.submit(first, { reuse: true, onAgent: 'agent0' });
        expect(await farm.atRest(one)).toMatchObject({ state: 'succeeded' });
        await usuallyTake(stepMs);
        await comeIn(checkpointMs);
        await first.forget();
        // The other agent's only slot is in use, so that there is time to ask.
        const ahead = farm.scenario([{ name: 'h', body: 'hold h' }]);
        const held = await farm.submit(ahead, { onAgent: 'agent1' });
        await ahead.reached('h');
        const two = await farm.submit(farm.scenarioIn(first.folder, steps('as it is now')), {
          ...{ reuse: true, onAgent: 'agent1' },
        });

        const words = await said(farm, 'explain', two);
        const { jobs } = JSON.parse(await said(farm, 'explain', two, '--json')) as Explanation;
        await ahead.open('h');
        expect(words).toContain(weighed(one));
        // The first of the four, of which nothing has run, that job has left there.
        expect(jobs[0]!.agents.find(({ name }) => name === 'agent1')).toMatchObject({
          verdict: 'its slot is in use',
          weighed: {
            from: { name: 'agent0' },
            build: one,
            fetch: { checkpoints: 3, bytes: 180_000_000, bytesPerSecond, ms: 3 * checkpointMs },
            run: { steps: 3, ms: 3 * stepMs },
            ...{ chosen, text: weighed(one) },
          },
        });
        expect(await farm.atRest(held)).toMatchObject({ state: 'succeeded' });
        expect(await farm.atRest(two)).toMatchObject({ state: 'succeeded' });
        expect({ began: await first.began(), fetched: fetchedOf(two) }).toEqual({ began, fetched });
        expect(String(await farm.bytes(`/builds/${two}/artifacts/default/d.txt`))).toBe('a\nb\nc\n');
      },
    );
  });
});
