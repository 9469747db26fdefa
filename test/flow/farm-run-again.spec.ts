// Needs redis-server, PostgreSQL's server programs, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client } from 'pg';
import type { BuildDetail } from '#libs/contracts';
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
});
