// Needs redis-server, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildDetail } from '#libs/contracts';
import { CuttableLine } from '../support/cuttable-line.js';
import { processesWith } from '../support/processes-with.js';
import type { Scenario } from '../support/farm-scenario.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

const agentsOf = ({ jobs }: BuildDetail): readonly string[] =>
  jobs[0]!.attempts.map(({ agentName }) => agentName);

/** The log of a lost attempt may still grow: it is what that attempt did. */
const whatCounts = ({ jobs, state, steps }: BuildDetail): unknown => ({
  state,
  steps,
  jobs: jobs.map((job) => ({
    ...job,
    attempts: job.attempts.map((attempt) => ({ ...attempt, logBytes: null })),
  })),
});

describe('an agent that is given up', () => {
  let farm: TestFarm;
  let line: CuttableLine;
  beforeAll(async () => {
    const env = { DISTROFARM_KEEP_FINISHED_DAYS: '0', DISTROFARM_KEEP_NEWEST_CHECKPOINTS: '0' };
    farm = await TestFarm.start({
      database: 'sqlite',
      agents: 0,
      // What it does unheard has to be done before it gives up by itself, after 0.6 of that.
      leaseSeconds: 12,
      transfersAreQuick: true,
      env,
    });
    line = await CuttableLine.to(farm.url);
    await farm.addAgent({ DISTROFARM_COORDINATOR: line.url });
    await farm.addAgent();
  });
  afterAll(async () => {
    await farm.stop();
    line.close();
  });
  // What a test is about happens to the first one.
  beforeEach(async () => {
    await farm.call('POST', '/agents/agent1/drain', { why: 'later' });
  });
  /** The step waits at its gate, and the coordinator has heard so: of what agent0 does from here on, it may hear nothing. */
  const heldIn = async (scenario: Scenario, id: string, step: string): Promise<void> => {
    await scenario.reached(step);
    await farm.events.until(
      ({ type, build, data }) => type === 'step-started' && build === id && data['step'] === step,
    );
  };
  const other = async (): Promise<unknown> => await farm.call('POST', '/agents/agent1/undrain');
  const lost = async (after: number): Promise<unknown> =>
    await farm.events.until(({ type, data }) => type === 'agent-lost' && data['name'] === 'agent0', after);
  const isBack = async (after: number): Promise<unknown> =>
    await farm.events.until(
      ({ type, data }) => type === 'agent-connected' && data['name'] === 'agent0',
      after,
    );
  const breaksOff = async (attempt: string): Promise<unknown> => {
    const { headers, body } = await farm.admin.download(`/api/v1/attempts/${attempt}/log`);
    body.resume();
    return headers['distrofarm-log-breaks-off'];
  };
  const logOf = async (attempt: string): Promise<string> =>
    String(await farm.bytes(`/attempts/${attempt}/log`));
  const warningsOf = (id: string): readonly unknown[] =>
    farm.events
      .of(id)
      .filter(({ type }) => type === 'warning')
      .map(({ data }) => data['text']);

  it('for want of a connection changes nothing that counts when it is back, and gives its dataset up', async () => {
    const scenario = farm.scenario([
      { name: 'a' },
      { name: 'b', body: '[ -e "$S/b.waits" ] || hold b' },
      {
        name: 'c',
        body: '[ -e "$S/c.waits" ] || { echo only the log tells of this; hold c; }; echo c > "$5/c.txt"',
      },
    ]);
    const id = await farm.submit(scenario);
    await heldIn(scenario, id, 'b');
    const before = farm.events.lastSeq;
    line.cut();
    // All of this it only tells later.
    await scenario.open('b');
    await scenario.reached('c');
    await other();
    const ended = await farm.atRest(id);
    expect(ended).toMatchObject({ state: 'succeeded', jobs: [{ retries: 0 }] });
    expect(agentsOf(ended)).toEqual(['agent0', 'agent1']);
    line.mend();
    await isBack(before);
    const [attempt, second] = ended.jobs[0]!.attempts;
    await farm.events.until(({ type, attempt: about }) => type === 'stale-report' && about === attempt!.id);
    await scenario.open('c');
    // To its last line, which it writes when it has noticed.
    while (!(await logOf(attempt!.id)).includes(`Attempt ${attempt!.id} ended`)) await sleep(50);
    expect(await logOf(attempt!.id)).toContain('only the log tells of this');
    const after = await farm.build(id);
    expect(whatCounts(after)).toEqual(whatCounts(ended));
    expect(after.jobs[0]!.steps.map((step) => step.attempt)).toEqual([second!.id, second!.id, second!.id]);
    expect(attempt!.end).toMatchObject({ kind: 'infrastructure', fault: 'lost' });
    expect([await breaksOff(attempt!.id), await breaksOff(second!.id)]).toEqual(['true', 'false']);
    expect(await farm.artifacts(id)).toMatchObject([{ name: 'c.txt', attempt: second!.id }]);
    expect(await scenario.finished()).toEqual(['a', 'b', 'a', 'b', 'c']);
    // A new plan of the sweeps begins with a turn of each.
    const area = join(farm.agentFolder(0), 'store', `${id}.default`);
    expect(existsSync(area)).toBe(true);
    await farm.redisCli('flushall');
    await farm.restartCoordinator();
    while (existsSync(area)) await sleep(100);
  });

  it('for its silence lets go of the step that it slept through', async () => {
    const marker = `1001.${process.pid}`;
    const scenario = farm.scenario([
      { name: 'a' },
      { name: 'b', body: `[ -e "$S/b.waits" ] || { setsid sh -c 'exec sleep ${marker}' & hold b; }` },
    ]);
    const id = await farm.submit(scenario);
    await heldIn(scenario, id, 'b');
    const before = farm.events.lastSeq;
    const { pid } = farm.agents[0]!;
    process.kill(pid, 'SIGSTOP');
    await other();
    const ended = await farm.atRest(id);
    expect(ended).toMatchObject({ state: 'succeeded' });
    expect(agentsOf(ended)).toEqual(['agent0', 'agent1']);
    expect(await processesWith(marker)).not.toBe(0);
    process.kill(pid, 'SIGCONT');
    await isBack(before);
    while ((await processesWith(marker)) > 0) await sleep(100);
    expect(whatCounts(await farm.build(id))).toEqual(whatCounts(ended));
    expect(await scenario.finished()).toEqual(['a', 'a', 'b']);
    expect(warningsOf(id)).toContain(
      'the newest checkpoint is out of reach, on agent agent0, which is gone: it begins anew, and a runs again',
    );
  });

  it('leaves an end that nobody goes on from, though it has the name of the one that counts', async () => {
    const copy = (name: string): string => `od -An -tx1 "$2/random" > "$5/${name}.txt"`;
    const scenario = farm.scenario([
      { name: 'a' },
      {
        name: 'b',
        body: `[ -e "$S/b.waits" ] || hold b; head -c 8 /dev/urandom > "$2/random"; ${copy('b')}`,
      },
      { name: 'iso', lane: 'iso', body: copy('iso') },
      { name: 'usb', lane: 'usb', body: copy('usb') },
    ]);
    const id = await farm.submit(scenario, { pauseBefore: 'iso' });
    await heldIn(scenario, id, 'b');
    const before = farm.events.lastSeq;
    line.cut();
    await scenario.open('b');
    const store = join(farm.agentFolder(0), 'store', `${id}.default`);
    while (!existsSync(join(store, '.checkpoints/build_data/.end_b'))) await sleep(20);
    await other();
    expect(agentsOf(await farm.atRest(id))).toEqual(['agent0', 'agent1']);
    expect(await scenario.finished()).toEqual(['a', 'b', 'a', 'b']);
    line.mend();
    await isBack(before);
    await farm.call('POST', `/builds/${id}/resume`, { onAgent: 'agent0', pauseBefore: 'usb' });
    await farm.atRest(id);
    await farm.call('POST', `/builds/${id}/resume`, { onAgent: 'agent1' });
    const ended = await farm.atRest(id);
    expect(ended).toMatchObject({ state: 'succeeded' });
    expect(ended.jobs.map(({ attempts }) => attempts.at(-1)!.agentName)).toEqual([
      'agent1',
      'agent0',
      'agent1',
    ]);
    const found = await farm.artifacts(id);
    expect(found.map(({ name }) => name).toSorted()).toEqual(['b.txt', 'iso.txt', 'usb.txt']);
    expect(new Set(found.map(({ sha256 }) => sha256)).size).toBe(1);
  });

  it('with its newest checkpoint leaves the build to the newest that exists anywhere', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const scenario = farm.scenario(names.map((name) => ({ name })));
    await other();
    const id = await farm.submit(scenario, { pauseBefore: 'c', onAgent: 'agent1' });
    await farm.atRest(id);
    await farm.call('POST', `/builds/${id}/resume`, { onAgent: 'agent0', pauseBefore: 'd' });
    await farm.atRest(id);
    expect(await scenario.began()).toEqual(['a', 'b', 'c']);
    const before = farm.events.lastSeq;
    await farm.agents[0]!.kill9();
    await rm(join(farm.agentFolder(0), 'store'), { recursive: true });
    await lost(before);
    await farm.resume(id);
    const ended = await farm.atRest(id);
    expect(ended).toMatchObject({ state: 'succeeded' });
    expect(agentsOf(ended)).toEqual(['agent1', 'agent0', 'agent1']);
    expect(await scenario.began()).toEqual(['a', 'b', 'c', 'c', 'd']);
    expect(warningsOf(id)).toEqual([
      'the newest checkpoint is out of reach, on agent agent0, which is gone: it goes on from an earlier one, and c runs again',
    ]);
  });
});
