// Needs redis-server, PostgreSQL's server programs, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { BuildDetail, BuildId, BuildReads, PlanPreview, SubmittedBuild } from '#libs/contracts';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scenario, ScenarioStep } from '../support/farm-scenario.js';
import { farmDatabases } from '../support/depth.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

/** In two lanes, of which one joins; what each step sees goes into the medium. The words behind a step's name change it. */
function steps(change: Partial<Record<string, string>> = {}): readonly ScenarioStep[] {
  const body = (name: string, text: string): string => `: ${change[name] ?? ''}\n${text}`;
  return [
    { name: 'pop', reads: '', body: body('pop', 'echo pop > "$2/base"') },
    { name: 'mod', reads: '', body: body('mod', 'cat "$2/base" > "$2/mod"') },
    {
      ...{ name: 'arch', reads: '', lane: 'x', outputs: ['pkg_image/arch'] },
      body: body('arch', 'cat "$2/mod" > "$2/arch"'),
    },
    { name: 'join', reads: '', body: body('join', 'cat "$2/arch" > "$2/joined"') },
    {
      ...{ name: 'iso', reads: 'img_params/hostname', lane: 'iso' },
      body: body('iso', '(cat "$2/joined"; ManifestRead "$1" img_params/hostname) > "$5/out.iso"'),
    },
  ];
}

const ALL = ['pop', 'mod', 'arch', 'join', 'iso'];

describe.each(farmDatabases('postgres'))('steps that another build has run (%s)', (database) => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database, agents: 2 });
  });
  afterAll(() => farm.stop());

  async function ended(id: BuildId): Promise<BuildDetail> {
    const detail = await farm.atRest(id);
    expect(detail).toMatchObject({ state: 'succeeded' });
    return detail;
  }
  const build = async (scenario: Scenario): Promise<BuildDetail> =>
    await ended(await farm.submit(scenario, { reuse: true }));
  const reusedIn = ({ jobs }: BuildDetail): readonly string[] =>
    jobs.flatMap((job) => job.steps.flatMap(({ name, reusedFrom }) => (reusedFrom === null ? [] : [name])));
  const medium = async ({ id }: BuildDetail, variant = 'default'): Promise<string> =>
    String(await farm.bytes(`/builds/${id}/artifacts/${variant}/out.iso`));
  const reasonsOf = async (id: BuildId): Promise<readonly string[]> =>
    (await farm.build(id)).jobs.map(({ waitingReason }) => waitingReason);

  /** `<step> <fate>`, and why where that is told. */
  async function planned(scenario: Scenario): Promise<readonly string[]> {
    const body = { ...scenario.submission, reuse: true };
    const { variants } = await farm.call<PlanPreview>('POST', '/builds/plan', body);
    return variants.flatMap(({ jobs }) =>
      jobs.flatMap((job) =>
        job.steps.map(({ name, fate, of, why }) => [name, fate, of ?? why].join(' ').trimEnd()),
      ),
    );
  }

  it('do not run again, and their results are there', async () => {
    const scenario = farm.scenario(steps());
    const first = await build(scenario);
    expect(reusedIn(first)).toEqual([]);
    expect(await planned(scenario)).toEqual(ALL.map((name) => `${name} reused ${first.id}`));
    const again = await build(scenario);
    expect(reusedIn(again)).toEqual(ALL);
    expect(await scenario.began()).toEqual(ALL);
    expect(again.jobs.flatMap(({ attempts }) => attempts)).toEqual([]);
    expect(await medium(again)).toBe(await medium(first));
  });

  it('tell what their scripts asked for, also where another build ran them', async () => {
    const scenario = farm.scenario(steps());
    const first = await build(scenario);
    const again = await build(scenario);
    const { build: of, steps: read } = await farm.call<BuildReads>('GET', `/builds/${again.id}/reads`);
    expect(of).toBe(again.id);
    expect(read.find(({ step }) => step === 'iso')).toEqual({
      step: 'iso',
      declared: ['img_params/hostname'],
      asked: ['img_params/hostname'],
      askedIn: first.id,
    });
    expect(read.find(({ step }) => step === 'pop')).toMatchObject({ asked: [], askedIn: first.id });
  });

  it('run again where that is wanted', async () => {
    const scenario = farm.scenario(steps());
    await build(scenario);
    await scenario.forget();
    const again = await ended(await farm.submit(scenario, { reuse: false }));
    expect(reusedIn(again)).toEqual([]);
    expect(await scenario.began()).toEqual(ALL);
  });

  it.each([
    ['the last', 'iso', ['iso']],
    ['one in the middle of a lane', 'mod', ['mod', 'arch', 'join', 'iso']],
    ['the first of a lane behind a lane', 'join', ['join', 'iso']],
  ])('run from the first on that has changed: %s', async (_, changed, run) => {
    const first = farm.scenario(steps({ [changed]: 'as it was' }));
    const { id } = await build(first);
    // The same folder, since the scripts name it.
    const second = farm.scenarioIn(first.folder, steps({ [changed]: 'as it is now' }));
    await first.forget();
    const plan = await planned(second);
    expect(plan.filter((line) => line.includes(' runs')).map((line) => line.split(' ')[0])).toEqual(run);
    expect(plan.find((line) => line.startsWith(`${changed} runs`))).toBe(
      `${changed} runs since ${id}, its script changed`,
    );
    const changedBuild = await build(second);
    expect(await second.began()).toEqual(run);
    expect(reusedIn(changedBuild)).toEqual(ALL.filter((name) => !run.includes(name)));
    // Nobody is said to have run here what did not run here.
    for (const step of changedBuild.jobs.flatMap((job) => job.steps))
      expect([step.name, step.attempt !== null]).toEqual([step.name, run.includes(step.name)]);
    const from = new Set(changedBuild.jobs.flatMap((job) => job.steps.map(({ reusedFrom }) => reusedFrom)));
    expect(from).toEqual(new Set([id, null]));
    expect(await medium(changedBuild)).toBe('pop\nsolaris\n');
  });

  it('run once for all variants of a build, and for builds side by side', async () => {
    const variants = ['a', 'b', 'c']
      .map(
        (name) =>
          `<farm:variant name="${name}"><farm:set path="img_params/hostname" value="${name}"/></farm:variant>`,
      )
      .join('');
    const scenario = farm.scenario(steps({ mod: '; hold mod' }), {
      variants: `<farm:variants>${variants}</farm:variants>`,
    });
    expect(await planned(scenario)).toEqual(
      expect.arrayContaining(['pop shared a', 'mod shared a', 'arch shared a', 'join shared a']),
    );
    const one = await farm.submit(scenario, { reuse: true });
    await scenario.reached('mod');
    const other = await farm.submit(scenario, { reuse: true });
    while (!(await reasonsOf(other)).some((reason) => reason.includes('whose next step is the same')));
    await scenario.open('mod');
    const builds = [await ended(one), await ended(other)];
    const began = await scenario.began();
    expect(began.toSorted()).toEqual(['arch', 'iso', 'iso', 'iso', 'join', 'mod', 'pop']);
    for (const each of builds)
      for (const variant of ['a', 'b', 'c']) expect(await medium(each, variant)).toBe(`pop\n${variant}\n`);
  });

  it('are not for a trusted build, when an untrusted one has run them', async () => {
    const scenario = farm.scenario(steps());
    const carl = farm.clientFor(await farm.token({ user: 'carl', role: 'submitter' }));
    const scripts = scenario.submission.files.map(({ path, base64 }) => ({
      sha256: createHash('sha256').update(Buffer.from(base64, 'base64')).digest('hex'),
      name: path,
    }));
    await farm.call('POST', '/scripts', { scripts });
    const untrusted = async (): Promise<BuildDetail> => {
      const body = { ...scenario.submission, reuse: true };
      return await ended((await carl.json<SubmittedBuild>('POST', '/api/v1/builds', body))!.build.id);
    };
    await mkdir(scenario.folder, { recursive: true });
    await untrusted();
    expect(reusedIn(await build(scenario))).toEqual([]);
    expect(reusedIn(await untrusted())).toEqual(ALL);
    expect(reusedIn(await build(scenario))).toEqual(ALL);
    expect(await scenario.began()).toEqual([...ALL, ...ALL]);
  });

  it('are run by exactly one of those that wait, when the first fails', async () => {
    const scenario = farm.scenario(steps({ mod: '; hold mod; [ -e "$S/mend" ]' }));
    const ids = [await farm.submit(scenario, { reuse: true })];
    await scenario.reached('mod');
    ids.push(await farm.submit(scenario, { reuse: true }), await farm.submit(scenario, { reuse: true }));
    const waits = async (id: BuildId): Promise<boolean> =>
      (await reasonsOf(id)).some((reason) => reason.includes('whose next step is the same'));
    while (!((await waits(ids[1]!)) && (await waits(ids[2]!))));
    await scenario.open('mod');
    expect(await farm.atRest(ids[0]!)).toMatchObject({ state: 'failed' });
    await scenario.shut('mod');
    await scenario.reached('mod');
    await scenario.open('mend', 'mod');
    await ended(ids[1]!);
    await ended(ids[2]!);
    const began = await scenario.began();
    // Its first step was at hand when it failed the first time, or when another ran it.
    expect(began.filter((name) => name === 'iso')).toEqual(['iso']);
    expect(began.filter((name) => name === 'pop')).toEqual(['pop']);
  });

  it('are not taken where a checkpoint contradicts itself, and the image is the right one', async () => {
    const versions = (mod: string, iso = ''): readonly ScenarioStep[] => [
      { name: 'pop', reads: '', body: 'echo pop > "$2/base"' },
      { name: 'mod', reads: '', body: `echo ${mod} > "$2/mod"` },
      { name: 'iso', reads: '', body: `: ${iso}\ncat "$2/base" "$2/mod" > "$5/out.iso"` },
    ];
    const first = farm.scenario(versions('one'));
    const one = await build(first);
    const two = await build(farm.scenarioIn(first.folder, versions('two')));
    // As if somebody had set the property of each to that of the other.
    const records = await Promise.all([one, two].map(({ id }) => recordBehindMod(id)));
    const keys = records.map(({ record }) => record.facts.key);
    expect(new Set(keys).size).toBe(2);
    await Promise.all(farm.agents.map((agent) => agent.kill9()));
    for (const [at, { path, record }] of records.entries())
      await writeFile(
        path,
        JSON.stringify({ ...record, facts: { ...record.facts, key: keys.toReversed()[at] } }),
      );
    for (const at of farm.agents.keys()) await farm.startAgent(at);

    await first.forget();
    const third = await build(farm.scenarioIn(first.folder, versions('two', 'changed')));
    expect(await medium(third)).toBe('pop\ntwo\n');
    expect(await first.began()).toEqual(['mod', 'iso']);
    expect(String(await farm.log(third.id))).toContain(
      'is not what the record says: it says that another script than that of mod led to it',
    );
  });

  /** Of the checkpoint in front of iso, wherever an agent keeps it. */
  async function recordBehindMod(id: BuildId) {
    for (const at of farm.agents.keys()) {
      const area = join(farm.agentFolder(at), 'store', `${id}.default`);
      const path = join(area, '.checkpoints/build_data/.step_iso/record.json');
      if (existsSync(path))
        return { path, record: JSON.parse(await readFile(path, 'utf8')) as { facts: { key: string } } };
    }
    throw new Error(`no agent holds the state of ${id} in front of iso`);
  }
});

describe('states that another agent holds', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    // Else steps this quick would rather run again.
    farm = await TestFarm.start({ database: 'sqlite', agents: 2, transfersAreQuick: true });
  });
  afterAll(() => farm.stop());

  const chain = (change: Partial<Record<string, string>> = {}): readonly ScenarioStep[] =>
    ['a', 'b', 'c', 'd', 'e'].map((name) => ({
      ...{ name, reads: '' },
      body: `: ${change[name] ?? ''}\necho ${name} >> "$2/grown"`,
    }));
  const on = async (agent: string, folder: string, steps: readonly ScenarioStep[]): Promise<BuildDetail> => {
    const scenario = farm.scenarioIn(folder, steps);
    const build = await farm.atRest(await farm.submit(scenario, { reuse: true, onAgent: agent }));
    expect(build).toMatchObject({ state: 'succeeded' });
    return build;
  };
  const reusedOf = ({ jobs }: BuildDetail): readonly (string | null)[] =>
    jobs.flatMap((job) => job.steps.map(({ reusedFrom }) => reusedFrom));
  const fetchedFor = ({ id }: BuildDetail): readonly unknown[] =>
    farm.events
      .of(id)
      .filter(({ type }) => type === 'checkpoint-fetched')
      .map(({ data }) => data['label']);

  it('are fetched behind an earlier one of the same job, with those between', async () => {
    const held = { b: '; hold b' };
    const first = farm.scenario(chain(held));
    const one = await farm.submit(first, { reuse: true, onAgent: 'agent0' });
    await first.reached('b');
    const early = await on('agent1', first.folder, chain({ b: 'another' }));
    expect(reusedOf(early)).toEqual([one, null, null, null, null]);
    await first.open('b');
    expect(await farm.atRest(one)).toMatchObject({ state: 'succeeded' });
    await first.forget();

    const late = await on('agent1', first.folder, chain({ ...held, e: 'another' }));
    expect(reusedOf(late)).toEqual([one, one, one, one, null]);
    expect(fetchedFor(late)).toEqual(['.step_c', '.step_d', '.step_e']);
    // What came with it is there for one that parts earlier.
    const between = await on('agent1', first.folder, chain({ ...held, c: 'another' }));
    expect(reusedOf(between)).toEqual([one, one, null, null, null]);
    expect(fetchedFor(between)).toEqual([]);
    expect(await first.began()).toEqual(['e', 'c', 'd', 'e']);
  });

  it('come as a whole where nobody has what was before them', async () => {
    const first = farm.scenario(chain());
    const one = await farm.submit(first, { reuse: true, onAgent: 'agent0' });
    expect(await farm.atRest(one)).toMatchObject({ state: 'succeeded' });
    await on('agent1', first.folder, chain({ b: 'another' }));
    await forgetEarlier(0, one, ['.step_a', '.step_b', '.step_c', '.step_d']);
    await first.forget();

    const late = await on('agent1', first.folder, chain({ e: 'another' }));
    expect(reusedOf(late)).toEqual([one, one, one, one, null]);
    expect(fetchedFor(late)).toEqual(['.step_e']);
    expect(await first.began()).toEqual(['e']);
  });

  /** As if the agent had fetched the build's newest state alone. */
  async function forgetEarlier(at: number, build: BuildId, labels: readonly string[]): Promise<void> {
    await farm.agents[at]!.kill9();
    const checkpoints = join(farm.agentFolder(at), 'store', `${build}.default/.checkpoints/build_data`);
    for (const label of labels) await rm(join(checkpoints, label), { recursive: true });
    await farm.startAgent(at);
  }
});
