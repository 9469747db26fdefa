/**
 * (d) debian-live on one agent, then going on on another one at each step: the checkpoints that it takes against the steps that would have to run again. Both agents on ZFS.
 */
import { join } from 'node:path';
import { execa } from 'execa';
import { INSTALLED } from '../../test/support/farm-process.js';
import { TestFarm } from '../../test/support/test-farm.js';
import { head, ms, row } from '../figures.js';

const MANIFEST = join(INSTALLED, 'examples/debian-live.xml');
const CACHE = { DISTROFARM_AGENT_CACHE: '/var/cache/distrofarm' };
/**
 * The last step of each lane that has more than one: its checkpoint comes with all those in front of it. Main first: it is run anew, where it is by then, after
 * each of the others.
 */
const LAST_STEPS = ['gen-slim-cont', 'root-arch-32', 'root-arch'];

const pool = process.env['DC_TEST_POOL'] ?? '';
const farm = await TestFarm.start({ database: 'sqlite', agents: 0 });
try {
  for (const name of ['agent0', 'agent1'])
    await farm.addAgent({ ...CACHE, DISTROFARM_AGENT_STORE: `${pool}/${name}` });
  await farm.call('POST', '/agents/agent1/drain', { why: 'not yet' });
  const env = {
    SOURCE_DATE_EPOCH: '1700000000',
    DISTROFARM_URL: farm.url,
    DISTROFARM_TOKEN: farm.adminToken,
  };
  await execa(join(INSTALLED, 'bin/distrofarm'), ['submit', MANIFEST, '--no-reuse', '--watch'], { env });
  const { id, jobs } = await farm.build('latest');
  const stepMs = new Map(
    farm.events
      .of(id)
      .filter(({ type }) => type === 'step-ended')
      .map(({ data }) => [String(data['step']), Number(data['ms'])] as const),
  );
  await farm.call('POST', '/agents/agent0/drain', { why: 'moving out' });
  await farm.call('POST', '/agents/agent1/undrain');

  head('(d) debian-live: going on on another agent at each step, against all its lane up to there again');
  for (const last of LAST_STEPS) {
    const known = farm.events.lastSeq;
    await farm.resume(id, last);
    const build = await farm.atRest(id);
    if (build.state !== 'succeeded') throw new Error(`the build ${build.state} after --from ${last}`);
    const lane = jobs.find(({ steps }) => steps.some(({ name }) => name === last));
    const fetchMs = new Map(
      farm.events
        .of(id)
        .filter(({ type, seq, job }) => type === 'checkpoint-fetched' && seq > known && job === lane?.id)
        .map(({ data }) => [String(data['label']).replace('.step_', ''), Number(data['ms'])] as const),
    );
    let [again, moved] = [0, 0];
    for (const { name } of lane?.steps ?? []) {
      moved += fetchMs.get(name) ?? NaN;
      const ratio = again === 0 ? '' : (moved / again).toFixed(2);
      row(`${lane?.lane ?? ''}: at ${name}, checkpoints ${ms(moved)}, again ${ms(again)}; ratio`, ratio);
      again += stepMs.get(name) ?? NaN;
      if (name === last) break;
    }
  }
} finally {
  await farm.stop();
}
