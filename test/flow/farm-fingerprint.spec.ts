// Needs redis-server, PostgreSQL's server programs, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { BuildDetail, BuildId, Explanation, PlanPreview, SubmitBuild } from '#libs/contracts';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scenario, ScenarioOptions, ScenarioStep } from '../support/farm-scenario.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

/** The second step installs what the file `state` of the scenario's folder says. */
const STEPS: readonly ScenarioStep[] = [
  { name: 'begin', reads: '', body: 'echo begin > "$2/base"' },
  {
    ...{ name: 'pop', reads: '', fingerprint: 'steps/state.sh' },
    body: 'cp "$S/state" "$2/state"',
  },
  { name: 'mod', reads: '', body: 'cat "$2/state" > "$2/mod"' },
  {
    ...{ name: 'iso', reads: '', lane: 'iso' },
    body: 'cat "$2/mod" > "$5/out.iso"',
  },
];
const ALL = STEPS.map(({ name }) => name);

/** The program of the fingerprint; each run of it is noted in the truth file, too. */
function program(body: string): NonNullable<ScenarioOptions['files']> {
  return { 'steps/state.sh': `#!/bin/bash\nset -eu\n${body}\n` };
}

// On PostgreSQL: store-fingerprints.spec.ts.
describe('fingerprints', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({
      database: 'sqlite',
      agents: 2,
      leaseSeconds: 2,
      env: { DISTROFARM_FINGERPRINT_SECONDS: '0' },
    });
  });
  afterAll(() => farm.stop());

  interface Tried {
    readonly scenario: Scenario;
    readonly set: (state: string) => Promise<void>;
  }

  /** `say` is what the program does; `$S` is the scenario's folder. */
  async function scenarioOf(
    say = 'cat "$S/state"',
    steps: readonly ScenarioStep[] = STEPS,
    options: ScenarioOptions = {},
  ): Promise<Tried> {
    const folder = farm.scenario([]).folder;
    const body = `S='${folder}'\necho "asked begin" >> "$S/truth"\nhold() { touch "$S/$1.waits"; until [ -e "$S/$1" ]; do sleep 0.03; done; }\n${say}`;
    const scenario = farm.scenarioIn(folder, steps, { ...options, files: program(body) });
    await scenario.open();
    const set = async (state: string): Promise<void> => writeFile(join(folder, 'state'), `${state}\n`);
    await set('one');
    return { scenario, set };
  }

  const submit = async (scenario: Scenario, change: Partial<SubmitBuild> = {}): Promise<BuildId> =>
    await farm.submit(scenario, { reuse: true, ...change });
  async function build(scenario: Scenario): Promise<BuildDetail> {
    const detail = await farm.atRest(await submit(scenario));
    expect(detail).toMatchObject({ state: 'succeeded' });
    return detail;
  }
  const reusedIn = ({ jobs }: BuildDetail): readonly string[] =>
    jobs.flatMap((job) => job.steps.flatMap(({ name, reusedFrom }) => (reusedFrom === null ? [] : [name])));
  const medium = async ({ id }: BuildDetail): Promise<string> =>
    String(await farm.bytes(`/builds/${id}/artifacts/default/out.iso`));
  const ran = async (scenario: Scenario): Promise<readonly string[]> =>
    (await scenario.began()).filter((name) => name !== 'asked');
  const asked = async (scenario: Scenario): Promise<number> =>
    (await scenario.began()).filter((name) => name === 'asked').length;
  const explained = async (id: BuildId): Promise<Explanation> =>
    await farm.call<Explanation>('GET', `/builds/${id}/explain`);
  async function planned({ submission }: Scenario): Promise<readonly string[]> {
    const body = { ...submission, reuse: true };
    const { variants } = await farm.call<PlanPreview>('POST', '/builds/plan', body);
    return variants.flatMap(({ jobs }) =>
      jobs.flatMap((job) =>
        job.steps.map(({ name, fate, of, why }) => [name, fate, of ?? why].join(' ').trimEnd()),
      ),
    );
  }

  it('let a build reuse what it would make again, until they change', async () => {
    const { scenario, set } = await scenarioOf();
    const first = await build(scenario);
    expect(await ran(scenario)).toEqual(ALL);
    // For the build, and behind the step.
    expect(await asked(scenario)).toBe(2);
    expect(await planned(scenario)).toEqual(ALL.map((name) => `${name} reused ${first.id}`));
    await scenario.forget();
    const second = await build(scenario);
    expect(reusedIn(second)).toEqual(ALL);
    expect([await ran(scenario), await asked(scenario)]).toEqual([[], 1]);

    await set('two');
    expect(await planned(scenario)).toEqual([
      `begin reused ${first.id}`,
      `pop runs since ${second.id}, its fingerprint changed`,
      'mod runs',
      'iso runs',
    ]);
    await scenario.forget();
    const third = await build(scenario);
    expect(await ran(scenario)).toEqual(['pop', 'mod', 'iso']);
    expect(reusedIn(third)).toEqual(['begin']);
    expect([await medium(first), await medium(third)]).toEqual(['one\n', 'two\n']);

    // Back to what it was, which is still there.
    await set('one');
    expect(reusedIn(await build(scenario))).toEqual(ALL);
  });

  it('are one ask for all variants that differ in nothing that the step reads', async () => {
    const variants = `<farm:variants>${['a', 'b', 'c'].map((name) => `<farm:variant name="${name}"><farm:set path="img_params/hostname" value="${name}"/></farm:variant>`).join('')}</farm:variants>`;
    const { scenario } = await scenarioOf(undefined, STEPS, { variants });
    await build(scenario);
    expect(await ran(scenario)).toEqual(ALL);
    expect(await asked(scenario)).toBe(2);
  });

  it('are asked for by nobody where nothing is to be reused', async () => {
    const { scenario } = await scenarioOf('exit 1');
    const detail = await farm.atRest(await farm.submit(scenario, { reuse: false }));
    expect(detail).toMatchObject({ state: 'succeeded' });
    expect(await asked(scenario)).toBe(0);
  });

  it.each([
    ['exit 1', 'echo "no route" >&2; exit 1', /state\.sh ended with exit status 1; .*: no route$/],
    ['megabytes', 'head --bytes=3000000 /dev/zero', /state\.sh wrote more than 64 KiB/],
    ['nothing', 'true', /state\.sh wrote nothing/],
  ])('fail the build before its first step: %s', async (_, say, reason) => {
    const { scenario } = await scenarioOf(`if [ -e "$S/mended" ]; then cat "$S/state"; else ${say}; fi`);
    const id = await submit(scenario);
    const failed = await farm.atRest(id);
    expect(failed).toMatchObject({ state: 'failed', summary: expect.stringMatching(reason) });
    for (const { waitingReason } of failed.jobs) expect(waitingReason).toMatch(reason);
    for (const job of (await explained(id)).jobs) expect(job.reason).toMatch(reason);
    expect(farm.events.of(id).find(({ type }) => type === 'fingerprint-failed')?.data).toEqual({
      variant: null,
      reason: expect.stringMatching(reason),
    });
    expect(await ran(scenario)).toEqual([]);
    expect((await planned(scenario))[1]).toMatch(reason);

    await scenario.open('mended');
    await farm.resume(id);
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(await ran(scenario)).toEqual(ALL);
  });

  it('fail it when they hang', async () => {
    const { scenario } = await scenarioOf('sleep 1000');
    const failed = await farm.atRest(await submit(scenario));
    expect(failed).toMatchObject({
      state: 'failed',
      summary: expect.stringContaining('had not ended after 30 s'),
    });
    expect(await ran(scenario)).toEqual([]);
  });

  it('fail only the variant that they are of, where that is optional', async () => {
    const variants = `<farm:variants><farm:variant name="a"/><farm:variant name="b" optional="true"><farm:set path="img_params/hostname" value="b"/></farm:variant></farm:variants>`;
    const steps = STEPS.map((step) =>
      step.name === 'pop' ? { ...step, reads: 'img_params/hostname' } : step,
    );
    const say =
      '[ "$(ManifestRead "$DC_MANIFEST_SOCKET" img_params/hostname)" != b ] || exit 1\ncat "$S/state"';
    const { scenario } = await scenarioOf(say, steps, { variants });
    const detail = await build(scenario);
    const states = new Set(detail.jobs.map(({ variant, state }) => `${variant} ${state}`));
    expect(states).toEqual(new Set(['a succeeded', 'b failed']));
    expect(await ran(scenario)).toEqual(ALL);
  });

  it('let a build wait that says for whom, and that can be paused and cancelled', async () => {
    const { scenario } = await scenarioOf('hold gate; cat "$S/state"');
    const id = await submit(scenario);
    await scenario.reached('gate');
    const waits = await farm.build(id);
    const reason = /^waits for the fingerprint of step pop \(agent agent\d asks since \d+ s\)$/;
    expect(waits).toMatchObject({ state: 'waiting', summary: expect.stringMatching(reason) });
    expect((await explained(id)).jobs[0]).toMatchObject({
      state: 'blocked',
      reason: expect.stringMatching(reason),
    });
    const cancelled = await submit(scenario);
    expect(await farm.cancel(cancelled)).toMatchObject({ state: 'cancelled' });
    expect(await farm.pause(id)).toMatchObject({ state: 'paused' });
    await scenario.open('gate');
    expect(await farm.resume(id)).toMatchObject({ wish: 'run' });
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(await farm.build(cancelled)).toMatchObject({ state: 'cancelled' });
    expect(await ran(scenario)).toEqual(ALL);
  });

  it('are known all the same when the coordinator is killed meanwhile', async () => {
    const { scenario } = await scenarioOf('hold gate; cat "$S/state"');
    const id = await submit(scenario);
    await scenario.reached('gate');
    await farm.coordinators[0]!.kill9();
    await scenario.open('gate');
    await farm.startCoordinator();
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect(reusedIn(await build(scenario))).toEqual(ALL);
  });

  it('are asked for by another agent when the first is killed', async () => {
    const { scenario } = await scenarioOf(
      'if [ ! -e "$S/second" ]; then touch "$S/second"; hold never; fi; cat "$S/state"',
    );
    const id = await submit(scenario);
    await scenario.reached('never');
    const summary = (await farm.build(id)).summary;
    const index = Number(/agent(\d) asks/.exec(summary)?.[1]);
    await farm.agents[index]!.kill9();
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    await farm.startAgent(index);
    expect(await ran(scenario)).toEqual(ALL);
  });

  it('keep what was made while they changed from being reused, and the build goes on', async () => {
    const moving = STEPS.map((step) =>
      step.name === 'pop' ? { ...step, body: 'hold pop; cp "$S/state" "$2/state"' } : step,
    );
    const { scenario, set } = await scenarioOf(undefined, moving);
    const id = await submit(scenario);
    await scenario.reached('pop');
    await set('two');
    await scenario.open('pop');
    const first = await farm.atRest(id);
    expect(first).toMatchObject({ state: 'succeeded' });
    expect(await medium(first)).toBe('two\n');
    const warnings = farm.events.of(id).filter(({ type }) => type === 'warning');
    expect(warnings.map(({ data }) => data['text'])).toEqual([
      expect.stringMatching(
        /^the fingerprint of pop changed while it ran, from [0-9a-f]{12} to [0-9a-f]{12}; what pop made, and the steps behind it, is not reused$/,
      ),
    ]);
    // What the state was when the first was submitted, and what it is now: nothing of it equals either.
    for (const state of ['one', 'two']) {
      await set(state);
      await scenario.forget();
      const again = await build(scenario);
      expect(await ran(scenario)).toEqual(['pop', 'mod', 'iso']);
      expect(reusedIn(again)).toEqual(['begin']);
      expect(await medium(again)).toBe(`${state}\n`);
    }
  });

  it('are no way around the catalogue', async () => {
    const { scenario } = await scenarioOf();
    const carl = farm.clientFor(await farm.token({ user: `carl`, role: 'submitter' }));
    const plain = scenario.submission;
    const withCurl = plain.manifest.replace('>steps/state.sh<', '>curl http://mirror.example<');
    const refusal = async (change: Partial<SubmitBuild>): Promise<string> =>
      await carl.json('POST', '/api/v1/builds', { ...plain, ...change }).then(
        () => 'taken',
        (error: unknown) => (error as { problems: readonly string[] }).problems.join('\n'),
      );
    expect(await refusal({})).toMatch(/^steps\/state\.sh \([0-9a-f]{64}\) is not in the catalogue$/m);
    expect(await refusal({ manifest: withCurl })).toContain(
      'step "pop": its fingerprint runs curl, which is no catalogued script',
    );
  });
});
