// Needs redis-server, PostgreSQL's server packages, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildChanges } from '#libs/contracts';
import { INSTALLED } from '../support/farm-process.js';
import { stepOutput } from '../support/step-output.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

/** Two lanes, their join, and two media that fork from it. */
const LANES = [
  { name: 'base', body: 'mkdir -p "$2/etc"; echo base > "$2/etc/base"' },
  {
    name: 'b64',
    lane: 'ba-64',
    outputs: ['boot_archive/x64.img'],
    body: 'seq 20000 > "$4/x64.img"; cat "$2/etc/base" >> "$4/x64.img"',
  },
  {
    name: 'b32',
    lane: 'ba-32',
    outputs: ['boot_archive/x86.img', 'pkg_image/x86.d'],
    body: 'seq 5000 > "$4/x86.img"; mkdir "$2/x86.d"; ln -s nowhere "$2/x86.d/link"; echo deep > "$2/x86.d/file"',
  },
  { name: 'join', body: '(cd "$2"; find . | sort; cat ../boot_archive/*.img | sha256sum) > "$2/etc/joined"' },
  ...['iso', 'usb'].map((name) => ({
    name,
    lane: name,
    // Only where two agents can be at it: each waits until the other one has begun.
    body: `if [ -e "$S/together" ]; then touch "$S/${name}.runs"; until [ -e "$S/iso.runs" ] && [ -e "$S/usb.runs" ]; do sleep 0.03; done; fi
(cd "$2"; find . -type f | sort | xargs sha256sum; cat etc/joined) > "$5/live.${name}"; cat "$4/x64.img" >> "$5/live.${name}"`,
  })),
];

describe.each(['sqlite', 'postgres'] as const)('a farm with two agents, on %s', (database) => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database, agents: 2 });
  });
  afterAll(() => farm.stop());

  it('builds: log and artifacts are what the steps wrote', async () => {
    const scenario = farm.scenario([
      { name: 'a', body: `printf 'one\\ntwo\\001\\033[31m\\377\\n' ; printf 'on err, no end' >&2` },
      { name: 'b', body: 'mkdir "$5/sub"; seq 100000 > "$5/sub/numbers.txt"; : > "$5/empty"; seq 3000' },
    ]);
    const id = await farm.submit(scenario);
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded', steps: { total: 2, done: 2 } });
    expect(await scenario.truth()).toEqual(['a begin', 'a end', 'b begin', 'b end']);

    const numbers = Buffer.from(Array.from({ length: 100_000 }, (_, i) => `${i + 1}\n`).join(''));
    expect((await farm.artifacts(id)).map(({ name, bytes }) => [name, bytes])).toEqual([
      ['empty', 0],
      ['sub/numbers.txt', numbers.length],
    ]);
    const path = `/builds/${id}/artifacts/default/sub/numbers.txt`;
    expect((await farm.bytes(path)).equals(numbers)).toBe(true);
    expect((await farm.bytes(path, 400_001)).equals(numbers.subarray(400_001))).toBe(true);
    expect(await farm.bytes(`/builds/${id}/artifacts/default/empty`)).toHaveLength(0);
    await writeFile(join(scenario.folder, 'SHA256SUMS'), await farm.bytes(`/builds/${id}/SHA256SUMS`));
    execFileSync('mkdir', ['sub'], { cwd: scenario.folder });
    await writeFile(join(scenario.folder, 'sub/numbers.txt'), numbers);
    await writeFile(join(scenario.folder, 'empty'), '');
    execFileSync('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: scenario.folder });

    const log = await farm.log(id);
    const [attempt] = (await farm.build(id)).jobs[0]!.attempts;
    expect(log).toHaveLength(attempt!.logBytes);
    expect(stepOutput(log, 'a', 'out')).toBe('one\ntwo\u0001\u001b[31m\u00ff\n');
    expect(stepOutput(log, 'a', 'err')).toBe('on err, no end');
    expect(stepOutput(log, 'b', 'out')).toBe(numbers.toString().split('\n').slice(0, 3000).join('\n') + '\n');
    expect(await farm.bytes(`/attempts/${attempt!.id}/log?offset=100&length=50`)).toEqual(
      log.subarray(100, 150),
    );
    expect((await farm.bytes(`/attempts/${attempt!.id}/log?offset=100`)).equals(log.subarray(100))).toBe(
      true,
    );
  });

  it('tells each event once and in order', async () => {
    const id = await farm.submit(farm.scenario([{ name: 'a' }, { name: 'b' }]));
    await farm.atRest(id);
    await farm.events.until(({ type, build }) => type === 'build-ended' && build === id);
    const seqs = farm.events.all.map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from(seqs, (_, index) => index + 1));
    const told = farm.events.of(id).map(({ type, data }) => {
      const what = data['step'] ?? data['phase'] ?? data['state'] ?? '';
      return typeof what === 'string' && what !== '' ? `${type} ${what}` : type;
    });
    expect(told).toEqual([
      ...['build-submitted', 'job-waiting', 'job-assigned', 'job-started'],
      ...['attempt-phase fetching', 'attempt-phase running', 'checkpoint-taken a'],
      ...['step-started a', 'step-ended a', 'checkpoint-taken b'],
      ...['step-started b', 'step-ended b'],
      ...['attempt-phase publishing', 'job-ended succeeded', 'build-ended succeeded'],
    ]);
  });

  it('tells what became of a build since a view of it: of the jobs that something happened to, and how all stand', async () => {
    const lanes = ['one', 'two'].map((name) => ({ name, lane: name, body: `hold ${name}` }));
    const scenario = farm.scenario(lanes);
    const id = await farm.submit(scenario);
    const changesSince = (seq: number | string) =>
      farm.call<BuildChanges>('GET', `/builds/${id}/changes?since=${seq}`);
    const laneOf = ({ jobs }: Pick<BuildChanges, 'jobs'>) => jobs.map(({ lane }) => lane);
    const before = await farm.buildThat(id, ({ jobs }) =>
      jobs.every(({ steps }) => steps[0]?.state === 'running'),
    );
    expect(laneOf(await changesSince(before.eventSeq))).toEqual([]);
    await scenario.open('one');
    const after = await farm.buildThat(id, ({ jobs }) => jobs.some(({ state }) => state === 'succeeded'));
    const changes = await changesSince(before.eventSeq);
    expect(laneOf(changes)).toEqual(['one']);
    const { jobs, ...head } = after;
    const { state, steps } = jobs.find(({ lane }) => lane === 'one')!;
    expect(changes.jobs[0]).toMatchObject({ state, steps });
    expect(changes).toMatchObject(head);
    const standings = changes.standings.map((each) => [each.state, each.jobs.length]);
    expect(standings.toSorted()).toEqual([
      ['running', 1],
      ['succeeded', 1],
    ]);
    // Of a number that this record has not reached nothing is known, and what is about all of a build may be about each job.
    expect(laneOf(await changesSince(after.eventSeq + 1000)).toSorted()).toEqual(['one', 'two']);
    await farm.pause(id);
    expect(laneOf(await changesSince(after.eventSeq)).toSorted()).toEqual(['one', 'two']);
    await expect(changesSince('latest')).rejects.toMatchObject({ code: 'INVALID' });
    await farm.cancel(id);
    await farm.atRest(id);
  });

  it('takes a submission with the same key as the same build', async () => {
    const scenario = farm.scenario([{ name: 'a' }]);
    const body = { ...scenario.submission, idempotencyKey: 'once' };
    const first = await farm.submit(scenario, body);
    const both = await Promise.all([farm.submit(scenario, body), farm.submit(scenario, body)]);
    expect(both).toEqual([first, first]);
    await farm.atRest(first);
    expect(await scenario.began()).toEqual(['a']);
  });

  it('makes the same media on two agents, on one, and without a farm', async () => {
    const scenario = farm.scenario(LANES);
    const manifest = await scenario.write();
    await scenario.open('together');
    const spread = await farm.submit(scenario);
    expect(await farm.atRest(spread)).toMatchObject({ state: 'succeeded' });
    const started = farm.events.of(spread).filter(({ type }) => type === 'step-started');
    const agentOf = (step: string) => started.find(({ data }) => data['step'] === step)?.agent;
    expect(agentOf('iso')).not.toBe(agentOf('usb'));
    const imported = farm.events.of(spread).filter(({ type }) => type === 'output-imported');
    expect(
      imported.map(({ data }) => `${String(data['fromLane'])} ${String(data['path'])}`).toSorted(),
    ).toEqual(['ba-32 boot_archive/x86.img', 'ba-32 pkg_image/x86.d', 'ba-64 boot_archive/x64.img']);
    await scenario.shut('together');

    await farm.call('POST', '/agents/agent1/drain', {});
    const alone = await farm.submit(scenario);
    expect(await farm.atRest(alone)).toMatchObject({ state: 'succeeded' });
    await farm.call('POST', '/agents/agent1/undrain', {});

    const area = join(scenario.folder, 'dc');
    execFileSync(join(INSTALLED, 'bin/distro_const'), ['build', '--build-area', area, manifest], {
      stdio: 'pipe',
      env: { PATH: process.env['PATH'], SOURCE_DATE_EPOCH: '1700000000' },
    });
    const media = (await readdir(join(area, 'media'))).toSorted();
    expect(media).toEqual(['live.iso', 'live.usb']);
    for (const name of media) {
      const local = await readFile(join(area, 'media', name));
      for (const id of [spread, alone])
        expect((await farm.bytes(`/builds/${id}/artifacts/default/${name}`)).equals(local)).toBe(true);
    }
  });
});

describe('a farm with one agent', () => {
  it('goes on from the checkpoint that the agent holds, with nothing published', async () => {
    const farm = await TestFarm.start({ database: 'sqlite', agents: 1 });
    try {
      const build = await farm.atRest(await farm.submit(farm.scenario(LANES)));
      expect(build).toMatchObject({ state: 'succeeded', steps: { total: 6, done: 6 } });
      expect((await farm.artifacts(build.id)).map(({ name }) => name)).toEqual(['live.iso', 'live.usb']);
    } finally {
      await farm.stop();
    }
  });
});
