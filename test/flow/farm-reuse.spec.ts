// Needs redis-server, PostgreSQL's server programs, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { BuildDetail } from '#libs/contracts';
import type { Scenario, ScenarioStep } from '../support/farm-scenario.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

/** In two lanes, of which one joins; what each step sees goes into the medium. */
function steps(change: Partial<Record<string, string>> = {}): readonly ScenarioStep[] {
  const body = (name: string, text: string): string => `${text}; : ${change[name] ?? ''}`;
  return [
    { name: 'pop', body: body('pop', 'echo pop > "$2/base"') },
    { name: 'mod', body: body('mod', 'cat "$2/base" > "$2/mod"') },
    { name: 'arch', lane: 'x', outputs: ['pkg_image/arch'], body: body('arch', 'cat "$2/mod" > "$2/arch"') },
    { name: 'join', body: body('join', 'cat "$2/arch" > "$2/joined"') },
    { name: 'iso', lane: 'iso', body: body('iso', 'cat "$2/joined" > "$5/out.iso"') },
  ];
}

describe.each(['sqlite', 'postgres'] as const)('steps that another build has run (%s)', (database) => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database, agents: 2 });
  });
  afterAll(() => farm.stop());

  async function build(scenario: Scenario): Promise<BuildDetail> {
    const detail = await farm.atRest(await farm.submit(scenario, { reuse: true }));
    expect(detail).toMatchObject({ state: 'succeeded' });
    return detail;
  }
  const reusedIn = ({ jobs }: BuildDetail): readonly string[] =>
    jobs.flatMap((job) => job.steps.flatMap(({ name, reusedFrom }) => (reusedFrom === null ? [] : [name])));

  it('do not run again, and their results are there', async () => {
    const scenario = farm.scenario(steps());
    const first = await build(scenario);
    expect(reusedIn(first)).toEqual([]);
    const again = await build(scenario);
    expect(reusedIn(again)).toEqual(['pop', 'mod', 'arch', 'join', 'iso']);
    expect(await scenario.began()).toEqual(['pop', 'mod', 'arch', 'join', 'iso']);
    expect(again.jobs.flatMap(({ attempts }) => attempts)).toEqual([]);
    expect(String(await farm.bytes(`/builds/${again.id}/artifacts/default/out.iso`))).toBe('pop\n');
  });
});
