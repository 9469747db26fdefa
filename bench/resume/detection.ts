/** (c) From an agent's end by SIGKILL to its job running on another agent: with the lease that tests use, and with the default one. */
import { TestFarm } from '../../test/support/test-farm.js';
import { head, row } from '../figures.js';

/** Of docs/operations.md. */
const DEFAULT_LEASE_SECONDS = 70;
/** What a loss may take to be noticed, with default settings. */
const MOST_BY_DEFAULT_SECONDS = 75;
/** What comes behind the detection: an assignment, and a checkpoint of next to nothing that is made again. */
const SLACK_SECONDS = 5;

head('(c) an agent is killed in the middle of a step, and its store is gone');
for (const leaseSeconds of [5, DEFAULT_LEASE_SECONDS]) {
  const farm = await TestFarm.start({ database: 'sqlite', agents: 2, leaseSeconds });
  try {
    const scenario = farm.scenario([{ name: 'quick' }, { name: 'long', body: 'hold gate' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('gate');
    await scenario.shut('gate');
    const lost = (await farm.build(id)).jobs[0]!.attempts[0]!.agentName;
    const known = farm.events.lastSeq;
    const from = performance.now();
    await farm.agents[Number(lost.slice(-1))]!.kill9();
    const seconds = (): number => (performance.now() - from) / 1000;
    const assigned = farm.events
      .until(({ type, build }) => type === 'job-assigned' && build === id, known)
      .then(seconds);
    await scenario.reached('gate');
    const runs = seconds();
    const most = leaseSeconds === 5 ? leaseSeconds + SLACK_SECONDS : MOST_BY_DEFAULT_SECONDS;
    row(
      `lease of ${leaseSeconds} s: given to the other agent after`,
      `${(await assigned).toFixed(1)} s`,
      `<= ${most} s`,
    );
    row('  its step runs there after', `${runs.toFixed(1)} s`);
    await scenario.open('gate');
    await farm.atRest(id);
  } finally {
    await farm.stop();
  }
}
