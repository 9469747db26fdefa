/** (a) From a submission to its first step running on an idle agent, as somebody sees it who watches the events. */
import type { SubmittedBuild } from '#libs/contracts';
import { TestFarm } from '../../test/support/test-farm.js';
import { head, ms, percentile, row } from '../figures.js';

const SUBMISSIONS = 200;

const farm = await TestFarm.start({ database: 'sqlite', agents: 1 });
try {
  const { admin, events } = farm;
  const scenario = farm.scenario([{ name: 'one' }]);
  await farm.submit(scenario).then(async (build) => await farm.atRest(build));
  const started: number[] = [];
  const answered: number[] = [];
  for (let n = 0; n < SUBMISSIONS; n += 1) {
    const known = events.lastSeq;
    const from = performance.now();
    const first = events.until(({ type }) => type === 'step-started', known).then(() => performance.now());
    const submitted = await admin.json<SubmittedBuild>('POST', '/api/v1/builds', scenario.submission);
    answered.push(performance.now() - from);
    started.push((await first) - from);
    await events.until(({ type, build }) => type === 'build-ended' && build === submitted?.build.id, known);
  }
  head(`(a) ${SUBMISSIONS} submissions, one behind the other, one agent on a folder, SQLite`);
  row('POST of a submission to the event step-started, p50', ms(percentile(started, 0.5)), '< 300 ms');
  row('the same, p99', ms(percentile(started, 0.99)), '< 2000 ms');
  row('  of which until the POST is answered, p50', ms(percentile(answered, 0.5)));
} finally {
  await farm.stop();
}
