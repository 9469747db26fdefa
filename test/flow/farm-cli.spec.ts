// Needs redis-server, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readFile, truncate } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { distrofarm, said as saidBy, type Pipe, type Running } from '../support/distrofarm.js';
import type { Scenario } from '../support/farm-scenario.js';
import { TestFarm } from '../support/test-farm.js';
import type { AgentHistory } from '#libs/contracts';

jest.setTimeout(300_000);

describe('distrofarm on a real farm', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'sqlite', agents: 1, env: { DISTROFARM_MAX_LOG_MB: '1' } });
  });
  afterAll(() => farm.stop());

  const cli = (...args: readonly string[]): Running => distrofarm(farm, ...args);
  const said = async (...args: readonly string[]): Promise<string> => await saidBy(farm, ...args);

  async function idSaidBy(stdout: Pipe): Promise<string> {
    for (;;) {
      const match = /^b-[0-9a-z]{10}$/m.exec(stdout.toString());
      if (match !== null) return match[0];
      await farm.events.more(farm.events.all.length);
    }
  }

  const twoSteps = (body = ''): Scenario => farm.scenario([{ name: 'a' }, { name: 'b', body }]);

  it('watches a build to its end, and exits as it ended', async () => {
    const well = cli('submit', await twoSteps('echo x > "$5/x"').write(), '--watch');
    expect(await well.exit).toBe(0);
    expect(well.stdout.toString()).toMatch(/^b-[0-9a-z]{10}\n/);
    expect(well.stdout.toString()).toMatch(/succeeded[\s\S]* x {2}2 B/);
    const badly = cli('submit', await twoSteps('exit 3').write(), '--watch');
    expect(await badly.exit).toBe(1);
    expect(badly.stdout.toString()).toMatch(/failed in b/);
    const pausing = cli('submit', await twoSteps().write(), '--watch', '-p', 'b');
    expect(await pausing.exit).toBe(8);
    const id = await idSaidBy(pausing.stdout);
    const resumed = cli('watch', id);
    expect(await resumed.exit).toBe(8);
    await said('resume', id);
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
  });

  it('says that a watched build was cancelled', async () => {
    const scenario = twoSteps('hold b');
    const watched = cli('submit', await scenario.write(), '--watch');
    await scenario.reached('b');
    await said('cancel', await idSaidBy(watched.stdout));
    expect(await watched.exit).toBe(9);
  });

  it('follows a log over a restart of the coordinator, without holes and without repeats', async () => {
    const scenario = twoSteps('for i in $(seq 200); do echo "line $i"; done; hold b; seq 201 400');
    const [id] = (await said('submit', await scenario.write())).split('\n');
    await scenario.reached('b');
    const followed = cli('log', id!, '--follow', '--raw');
    while (!followed.stdout.toString().includes('line 200')) await farm.buildThat(id!, () => true);
    await farm.coordinators[0]!.kill9();
    await scenario.open('b');
    await farm.startCoordinator();
    await farm.atRest(id!);
    expect(await followed.exit).toBe(0);
    const lines = Array.from({ length: 400 }, (_, i) => (i < 200 ? `line ${i + 1}` : String(i + 1)));
    expect(followed.stdout.toString().split('\n')).toEqual([...lines, '']);
  });

  it('shows control characters of a log as what they are, and not as commands to the terminal', async () => {
    const scenario = twoSteps(`printf 'a\\033]0;owned\\007b\\033[2Jc\\n'`);
    const [id] = (await said('submit', await scenario.write())).split('\n');
    await farm.atRest(id!);
    expect((await farm.log(id!)).includes('\u001b]0;owned')).toBe(true);
    const text = await said('log', id!);
    expect(text).toMatch(/owned/);
    expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  });

  it('says in a log how much of it was lost, whatever part of it is looked at', async () => {
    const scenario = twoSteps('seq 100000; echo the end >&2');
    const [id] = (await said('submit', await scenario.write())).split('\n');
    expect(await farm.atRest(id!)).toMatchObject({ state: 'succeeded' });
    const log = await farm.log(id!);
    expect(log.length).toBeLessThanOrEqual(1024 ** 2);
    const lost = /\d{6,} bytes lost here: the log of an attempt is limited to 1048576 bytes/;
    expect(log.toString()).toMatch(lost);
    for (const words of [[], ['--step', 'b'], ['--grep', 'nowhere'], ['--json']]) {
      expect(await said('log', id!, ...words)).toMatch(lost);
    }
    const raw = cli('log', id!, '--raw', '--step', 'b');
    expect(await raw.exit).toBe(0);
    expect(raw.stdout.toString()).toMatch(/^1\n2\n3\n/);
    expect(raw.stdout.toString()).not.toMatch(lost);
    expect(raw.stderr.toString()).toMatch(lost);
  });

  it('says that the end of a log is missing, after a power failure of the coordinator', async () => {
    const [id] = (await said('submit', await twoSteps().write())).split('\n');
    await farm.atRest(id!);
    const log = await farm.log(id!);
    const [attempt] = (await farm.build(id!)).jobs[0]!.attempts;
    await truncate(join(farm.folder, 'coordinator/logs', `${attempt!.id}.log`), log.length - 30);
    const { exit, stdout, stderr } = cli('log', id!);
    expect(await exit).toBe(0);
    expect(stdout.toString()).not.toBe('');
    expect(stderr.toString()).toMatch(/^30 bytes are missing at the end of the log of t-/);
  });

  it('downloads artifacts', async () => {
    const scenario = twoSteps('mkdir "$5/d"; seq 1000 > "$5/d/x"; echo y > "$5/y"');
    const [id] = (await said('submit', await scenario.write())).split('\n');
    await farm.atRest(id!);
    const { exit } = cli('artifacts', 'download', id!, '-o', join(scenario.folder, 'got'));
    expect(await exit).toBe(0);
    expect(await readFile(join(scenario.folder, 'got/y'), 'utf8')).toBe('y\n');
    expect((await readFile(join(scenario.folder, 'got/d/x'), 'utf8')).split('\n')).toHaveLength(1001);
  });

  it('shows what checkpoints take, keeps what is pinned, and says what would go', async () => {
    const id = (await said('submit', await twoSteps().write())).trim();
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    const row = (words: string): RegExp => new RegExp(`^${id} +default +Tiny +agent0 +2 +.+ ${words}$`, 'm');
    expect(await said('checkpoints', 'usage', '--build', id)).toMatch(row('(newest|finished)'));
    expect(await said('checkpoints', 'pin', id, '--why', 'release')).toMatch(
      new RegExp(`^${id} +\\(all\\) +admin +.+ release$`, 'm'),
    );
    expect(await said('checkpoints', 'usage', '--build', id)).toMatch(row('pinned'));
    expect(await said('checkpoints', 'list', '--build', id)).toMatch(/ pinned$/m);
    expect(await said('checkpoints', 'collect', '--dry-run', '--agent', 'agent0')).toBe(
      'Nothing would go.\n',
    );
    // What is not measured yet may be all that is wanted.
    while (/ \? /.test(await said('checkpoints', 'usage'))) await sleep(100);
    const all = await said('checkpoints', 'collect', '--dry-run', '--agent', 'agent0', '--free', '900T');
    expect(all).toMatch(/^Warning: agent0 has .* free, less than 900 TB, .*; pins keep .* there\.$/m);
    expect(all).not.toMatch(new RegExp(`^${id} `, 'm'));
    expect(await said('checkpoints', 'unpin', id)).toBe('Nothing is pinned.\n');
    expect(await said('doctor')).toMatch(/✓ room +there is enough/);
  });

  it('says which copies no agent can take', async () => {
    const scenario = twoSteps('hold b');
    const id = (await said('submit', await scenario.write(), '--replicas', '1')).trim();
    await farm.buildThat(id, ({ jobs }) => jobs[0]!.steps[1]!.state === 'running');
    const words = /no agent can take the copy of \.step_b: /.source;
    expect(await said('explain', id)).toMatch(new RegExp(`main has copies that are missing: ${words}`));
    expect(await said('doctor')).toMatch(new RegExp(`! replicas +${id} default/main: ${words}`));
    await scenario.open('b');
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded', replicas: 1 });
    expect(await said('doctor')).toMatch(/✓ replicas +none is on its way/);
  });

  it('explains why a job waits, and lists builds as JSON', async () => {
    const running = twoSteps('hold b');
    const [first] = (await said('submit', await running.write())).split('\n');
    await running.reached('b');
    const [second] = (await said('submit', await twoSteps().write())).split('\n');
    await farm.buildThat(second!, ({ jobs }) => jobs[0]?.waitingReason !== '');
    expect(await said('explain', second!)).toMatch(/main waiting: .*slot.*\n\s+agent0/);
    const listed = JSON.parse(await said('list', '--json', '--limit', '2')) as { builds: object[] };
    expect(listed.builds).toMatchObject([
      { id: second, state: 'waiting', steps: { total: 2, done: 0 } },
      { id: first, state: 'running', summary: 'runs b' },
    ]);
    await running.open('b');
    await farm.atRest(second!);
  });

  it('tells what an agent ran and what became of it, page by page', async () => {
    const id = (await said('submit', await twoSteps('exit 3').write())).trim();
    await farm.atRest(id);
    await said('agents', 'pause', 'agent0', '--why', 'new firmware', '--for', '2h');
    await said('agents', 'unpause', 'agent0');
    const lines = (await said('agents', 'history', 'agent0', '--limit', '3')).split('\n');
    expect(lines[1]).toMatch(/^\S+ \S+ +unpaused by admin/);
    expect(lines[2]).toMatch(/ paused by admin: new firmware until \d{4}-/);
    expect(lines[3]).toMatch(new RegExp(` ran main of Tiny ${id} .* b exited with status 3`));
    const all = ['agents', 'history', 'agent0', '--json'];
    const whole = JSON.parse(await said(...all, '--limit', '200')) as AgentHistory;
    expect(whole.next).toBeNull();
    expect(whole.entries.at(-1)).toMatchObject({ kind: 'change', what: 'enrolled', by: 'admin' });
    const pages: AgentHistory['entries'] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const on: readonly string[] = cursor === '' ? [] : ['--cursor', cursor];
      const page = JSON.parse(await said(...all, '--limit', '2', ...on)) as AgentHistory;
      pages.push(...page.entries);
      cursor = page.next;
    }
    expect(pages).toEqual(whole.entries);
    expect(await cli('agents', 'history', 'agent0', '--cursor', 'x').exit).not.toBe(0);
  });

  it('names a build or a farm that is not there, with an exit code of its own', async () => {
    const missing = cli('show', 'b-0000000000');
    expect(await missing.exit).toBe(4);
    expect(missing.stderr.toString()).toContain('there is no build "b-0000000000"');
  });
});
