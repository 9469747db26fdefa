// Needs root, Linux namespaces, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sha256Of } from '../support/scripted-coordinator.js';
import { TestAgent, waitFor, type FarmStep } from '../support/test-agent.js';

jest.setTimeout(120_000);

let agent: TestAgent;
beforeEach(async () => {
  agent = await TestAgent.create();
});
afterEach(async () => agent.remove());

/** A marker in argv that no other process on the machine has. */
async function processesWith(marker: string): Promise<number> {
  let found = 0;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (argv.includes(marker)) found += 1;
  }
  return found;
}

const ABC: readonly FarmStep[] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];

/** Payloads of a step's stream in a log. */
function payload(log: Buffer, step: string, stream: string): string {
  const lines = log.toString('latin1').split('\n');
  const head = new RegExp(`^\\S+ ${step} ${stream}([|>]) (.*)$`);
  return lines
    .map((line) => head.exec(line))
    .map((match) => (match === null ? '' : `${match[2] ?? ''}${match[1] === '|' ? '\n' : ''}`))
    .join('');
}

describe('an agent', () => {
  it('runs a job to its end, and delivers log, artifacts and outputs', async () => {
    const steps: readonly FarmStep[] = [
      {
        name: 'a',
        lane: 'l',
        body: 'mkdir -p "$2/out"; echo 42 > "$2/out/x"; for i in $(seq 3000); do echo "line $i é"; done',
      },
      {
        name: 'b',
        lane: 'l',
        outputs: ['pkg_image/out'],
        body: 'head -c 5000 /dev/zero > "$5/disk.img"; echo first > "$5/notes.txt"',
      },
      {
        name: 'c',
        lane: 'l',
        body: 'echo second > "$5/notes.txt"; echo "$SOURCE_DATE_EPOCH $DC_MANIFEST_FOLDER" >&2; printf end',
      },
      { name: 'd' },
    ];
    await agent.start();
    const { coordinator } = agent;
    const attempt = coordinator.give(agent.assignment(steps, { publishEnd: true }));
    expect(await coordinator.end(attempt)).toEqual({ kind: 'succeeded' });
    const types = coordinator
      .attempt(attempt)
      .events.map((event) => (event.type === 'phase' ? event.phase : event.type));
    expect(types).toEqual([
      ...['fetching', 'running', 'checkpoint-taken'],
      ...['step-started', 'step-ended', 'checkpoint-taken'],
      ...['step-started', 'step-ended', 'checkpoint-taken'],
      ...['step-started', 'step-ended', 'checkpoint-taken'],
      ...[
        'publishing',
        'artifact-published',
        'artifact-published',
        'output-published',
        'end-published',
        'ended',
      ],
    ]);
    const { log } = coordinator.attempt(attempt);
    expect(log.length).toBe(coordinator.events(attempt, 'ended')[0]!.logBytes);
    expect(payload(log, 'a', 'out')).toBe(
      Array.from({ length: 3000 }, (_, i) => `line ${i + 1} ${Buffer.from('é').toString('latin1')}\n`).join(
        '',
      ),
    );
    expect(payload(log, 'c', 'out')).toBe('end');
    expect(payload(log, 'c', 'err')).toMatch(/^1700000000 .*\/state\/bundles\/[0-9a-f]{64}\n$/);
    const artifacts = coordinator.events(attempt, 'artifact-published');
    expect(artifacts.map(({ name, sha256 }) => [name, coordinator.blobs.get(sha256)?.length])).toEqual([
      ['disk.img', 5000],
      ['notes.txt', 7],
    ]);
    const [output] = coordinator.events(attempt, 'output-published');
    expect(output).toMatchObject({ path: 'pkg_image/out' });
    for (const { sha256 } of output!.tree.pieces)
      expect(sha256Of(coordinator.blobs.get(sha256)!)).toBe(sha256);
    expect(coordinator.events(attempt, 'end-published')).toMatchObject([
      { workspace: 'build_data.l', label: '.end_c' },
    ]);
    await coordinator.until(() => coordinator.heartbeats.at(-1)?.attempts.length === 0);
    expect(await agent.spooled()).toEqual([]);
    expect(await readdir(join(agent.folder, 'store', agent.assignment(steps).area))).toEqual([
      '.area.json',
      '.checkpoints',
      'build_data.l',
    ]);
    expect(await agent.stop('SIGTERM')).toBe(0);
  });

  it('brings in outputs, and goes on from a base that was published elsewhere', async () => {
    const steps: readonly FarmStep[] = [
      { name: 'a' },
      { name: 'b', lane: 'l', outputs: ['pkg_image/out'], body: 'echo from-b > "$2/out"' },
      { name: 'c', body: 'cat "$2/out"' },
    ];
    await agent.start();
    const { coordinator } = agent;
    const first = coordinator.give(agent.assignment(steps, { publishEnd: true }));
    await coordinator.end(first);
    const [end] = coordinator.events(first, 'end-published');
    const base = {
      workspace: 'build_data',
      label: '.end_a',
      lineage: agent.assignment(steps).lineage,
      checkpoint: coordinator.events(first, 'checkpoint-taken').at(-1)!.holding.id,
      tree: end!.tree,
    };
    // The area goes: what the next job goes on from is not here any more.
    coordinator.drop = [agent.assignment(steps).area];
    await coordinator.until(() => coordinator.drop.length === 0);
    const lane = coordinator.give(
      agent.assignment(steps, { jobIndex: 1, base, area: 'b-0000000000.default' }),
    );
    expect(await coordinator.end(lane)).toEqual({ kind: 'succeeded' });
    const [output] = coordinator.events(lane, 'output-published');
    const imports = [{ lane: 'l', path: 'pkg_image/out', tree: output!.tree }];
    const last = coordinator.give(agent.assignment(steps, { jobIndex: 2, base, imports }));
    expect(await coordinator.end(last)).toEqual({ kind: 'succeeded' });
    expect(payload(coordinator.attempt(last).log, 'c', 'out')).toBe('from-b\n');
    expect(await agent.trace()).toBe('a c');
    const missing = coordinator.give(
      agent.assignment(steps, {
        jobIndex: 2,
        base: { ...base, tree: null, lineage: 'x' },
        imports,
        lineage: 'fresh',
      }),
    );
    expect(await coordinator.end(missing)).toMatchObject({ kind: 'infrastructure', fault: 'base-missing' });
  });

  it('goes on from the very state that it is told, not from another of the same name', async () => {
    const steps: readonly FarmStep[] = [
      { name: 'a', body: 'head -c 8 /dev/urandom > "$2/random"' },
      { name: 'iso', lane: 'iso', body: 'cp "$2/random" "$5/iso.bin"' },
      { name: 'usb', lane: 'usb', body: 'cp "$2/random" "$5/usb.bin"' },
    ];
    await agent.start();
    const { coordinator } = agent;
    const first = coordinator.give(agent.assignment(steps, { publishEnd: true }));
    await coordinator.end(first);
    const [end] = coordinator.events(first, 'end-published');
    const { lineage } = agent.assignment(steps);
    const [counts] = coordinator.events(first, 'checkpoint-taken').filter(({ before }) => before === null);
    const base = { workspace: 'build_data', label: '.end_a', lineage, checkpoint: counts!.holding.id };
    // Another attempt, which does not count, leaves an end of the same name and lineage here.
    coordinator.drop = [agent.assignment(steps).area];
    await coordinator.until(() => coordinator.drop.length === 0);
    await coordinator.end(coordinator.give(agent.assignment(steps)));
    const unpublished = { ...base, tree: null };
    const refused = coordinator.give(agent.assignment(steps, { jobIndex: 1, base: unpublished }));
    expect(await coordinator.end(refused)).toMatchObject({ kind: 'infrastructure', fault: 'base-missing' });
    const published = { ...base, tree: end!.tree };
    const lanes = [1, 2].map((jobIndex) =>
      coordinator.give(agent.assignment(steps, { jobIndex, base: published })),
    );
    for (const lane of lanes) expect(await coordinator.end(lane)).toEqual({ kind: 'succeeded' });
    const tar = Buffer.concat(end!.tree.pieces.map(({ sha256 }) => coordinator.blobs.get(sha256)!));
    const [iso, usb] = lanes.map((lane) => coordinator.events(lane, 'artifact-published')[0]!.sha256);
    expect(iso).toBe(usb);
    expect(tar.includes(coordinator.blobs.get(iso!)!)).toBe(true);
  });

  it('hands a job over at the next boundary, and does not run a step for which it has no room', async () => {
    const steps: readonly FarmStep[] = [{ name: 'a', body: waitFor('g') }, { name: 'b' }, { name: 'c' }];
    const { coordinator } = agent;
    const first = coordinator.give(agent.assignment(steps));
    await agent.start();
    await agent.gate('g-waits');
    const beats = coordinator.heartbeats.length;
    coordinator.want(first, { handOver: 'drained by ada' });
    await coordinator.until(() => coordinator.heartbeats.length > beats + 1);
    await agent.open('g');
    expect(await coordinator.end(first)).toEqual({
      kind: 'handed-over',
      before: 1,
      cause: 'asked',
      reason: 'drained by ada',
    });
    const tooLarge: readonly FarmStep[] = [{ name: 'a' }, { name: 'b', free: '900T' }];
    const larger = agent.assignment(tooLarge);
    const lineage = larger.lineage.replace('g1', 'g2');
    const second = coordinator.give({ ...larger, lineage });
    expect(await coordinator.end(second)).toMatchObject({
      kind: 'handed-over',
      before: 0,
      cause: 'no-space',
      reason: expect.stringMatching(/are free in the build area, and \d+ MB are needed from here on/),
    });
    expect(agent.started(second, tooLarge)).toEqual([]);
  });

  it('pauses at the next boundary, and in front of a step, and goes on from there', async () => {
    const steps = [{ name: 'a', body: waitFor('a') }, { name: 'b' }, { name: 'c' }, { name: 'd' }];
    await agent.start();
    const { coordinator } = agent;
    const assignment = agent.assignment(steps);
    const first = coordinator.give(assignment);
    await agent.gate('a-waits');
    coordinator.want(first, { wish: 'pause' });
    const beats = coordinator.heartbeats.length;
    await coordinator.until(() => coordinator.heartbeats.length > beats + 1);
    await agent.open('a');
    expect(await coordinator.end(first)).toEqual({ kind: 'paused', before: 1 });
    const second = coordinator.give(agent.again(assignment, { pauseBefore: 'd' }));
    expect(await coordinator.end(second)).toEqual({ kind: 'paused', before: 3 });
    expect(agent.started(second, steps)).toEqual(['b', 'c']);
    expect(coordinator.events(second, 'resumed')).toMatchObject([{ before: 1 }]);
    const third = coordinator.give(
      agent.again(assignment, {
        lineage: assignment.lineage.replace('g1', 'g2'),
        ancestry: [{ lineage: assignment.lineage, upTo: 'c' }],
      }),
    );
    expect(await coordinator.end(third)).toEqual({ kind: 'succeeded' });
    expect(agent.started(third, steps)).toEqual(['c', 'd']);
    expect(await agent.trace()).toBe('a b c d');
  });

  it('cancels a step with all that it started, and resumes in front of it', async () => {
    const marker = `cancelled-${process.pid}`;
    const steps = [
      { name: 'a' },
      {
        name: 'b',
        body: `[ -e $GATES/again ] || { setsid bash -c 'exec -a ${marker} sleep 1000' & touch $GATES/b-waits; wait; }`,
      },
    ];
    await agent.start();
    const { coordinator } = agent;
    const assignment = agent.assignment(steps);
    const first = coordinator.give(assignment);
    await agent.gate('b-waits');
    coordinator.want(first, { wish: 'cancel' });
    expect(await coordinator.end(first)).toEqual({ kind: 'cancelled', at: 1 });
    expect(await processesWith(marker)).toBe(0);
    await agent.open('again');
    const second = coordinator.give(agent.again(assignment));
    expect(await coordinator.end(second)).toEqual({ kind: 'succeeded' });
    expect(agent.started(second, steps)).toEqual(['b']);
  });

  it('tells a failing step, an output that was not written, and a script that is not there', async () => {
    await agent.start();
    const { coordinator } = agent;
    const failing = coordinator.give(agent.assignment([{ name: 'a', body: 'exit 3' }]));
    expect(await coordinator.end(failing)).toEqual({
      kind: 'failed',
      step: 0,
      outcome: { kind: 'exited', status: 3 },
    });
    const promising: readonly FarmStep[] = [
      { name: 'a', lane: 'l', outputs: ['pkg_image/none'] },
      { name: 'b' },
    ];
    const broken = coordinator.give(agent.assignment(promising, { lineage: 'fresh' }));
    expect(await coordinator.end(broken)).toMatchObject({ kind: 'output', step: 0 });
    const absent = coordinator.give(agent.assignment(ABC, { files: [], lineage: 'fresh' }));
    expect(await coordinator.end(absent)).toMatchObject({
      kind: 'failed',
      step: 0,
      outcome: { kind: 'not-started' },
    });
    const other = coordinator.give(agent.assignment(ABC, { planContentSha256: '0'.repeat(64) }));
    expect(await coordinator.end(other)).toMatchObject({ kind: 'infrastructure', fault: 'agent' });
  });

  it('leaves nothing running when killed in a step, and its successor delivers the spool and resumes', async () => {
    const marker = `killed-${process.pid}`;
    const steps = [
      { name: 'a' },
      {
        name: 'b',
        body: `echo partial; [ -e $GATES/again ] || { touch $GATES/b-waits; exec -a ${marker} sleep 1000; }`,
      },
    ];
    await agent.start();
    const { coordinator } = agent;
    const assignment = agent.assignment(steps);
    const first = coordinator.give(assignment);
    await agent.gate('b-waits');
    await coordinator.down();
    expect(await agent.stop('SIGKILL')).toBe('SIGKILL');
    while ((await processesWith(marker)) > 0) await sleep(20);
    await agent.open('again');
    await coordinator.up();
    await agent.start();
    const hello = coordinator.hellos.at(-1)!;
    expect(hello.holdings.map(({ label }) => label)).toEqual(['.step_a', '.step_b']);
    expect(hello.areas).toEqual([assignment.area]);
    if (hello.spooled.length > 0)
      await coordinator.until(() => coordinator.events(first, 'step-started').length === 2);
    expect(agent.started(first, steps)).toEqual(['a', 'b']);
    const second = coordinator.give(agent.again(assignment));
    expect(await coordinator.end(second)).toEqual({ kind: 'succeeded' });
    expect(agent.started(second, steps)).toEqual(['b']);
    expect(await agent.trace()).toBe('a b');
    expect(payload(coordinator.attempt(first).log, 'b', 'out')).toBe('partial\n');
    while ((await agent.spooled()).length > 0) await sleep(20);
  });

  it('delivers an end that nobody had heard when it was killed', async () => {
    const steps = [{ name: 'a', body: waitFor('a') }];
    await agent.start();
    const { coordinator } = agent;
    const attempt = coordinator.give(agent.assignment(steps));
    await agent.gate('a-waits');
    await coordinator.down();
    await agent.open('a');
    const reports = join(agent.folder, 'state/spool', attempt, 'reports');
    while (!(await readFile(reports, 'utf8')).includes('"publishing"')) await sleep(20);
    while (!(await readFile(reports, 'utf8')).includes('"ended"')) await sleep(20);
    await agent.stop('SIGKILL');
    await coordinator.up();
    await agent.start();
    expect(coordinator.hellos.at(-1)!.spooled).toEqual([{ attempt, epoch: 1 }]);
    expect(await coordinator.end(attempt)).toEqual({ kind: 'succeeded' });
  });

  it('does not disturb a step while the coordinator is away, and tells all of it after', async () => {
    const steps = [
      { name: 'a', body: waitFor('a') },
      { name: 'b', body: 'echo "undisturbed"; touch $GATES/b-ran' },
      { name: 'c', body: waitFor('c') },
    ];
    await agent.start();
    const { coordinator } = agent;
    const attempt = coordinator.give(agent.assignment(steps));
    await agent.gate('a-waits');
    await coordinator.down();
    await agent.open('a');
    await agent.gate('c-waits');
    await agent.open('c');
    await coordinator.up();
    expect(await coordinator.end(attempt)).toEqual({ kind: 'succeeded' });
    expect(agent.started(attempt, steps)).toEqual(['a', 'b', 'c']);
    expect(payload(coordinator.attempt(attempt).log, 'b', 'out')).toBe('undisturbed\n');
  });

  it('stops its step by its own clock when its lease is not renewed, and keeps the checkpoints', async () => {
    const marker = `leased-${process.pid}`;
    const steps = [{ name: 'a' }, { name: 'b', body: `touch $GATES/b-waits; exec -a ${marker} sleep 1000` }];
    await agent.start();
    const { coordinator } = agent;
    const assignment = agent.assignment(steps);
    const attempt = coordinator.give(assignment);
    await agent.gate('b-waits');
    // Not earlier: a busy machine could lose so short a lease by itself.
    coordinator.settings = { ...coordinator.settings, selfStopMs: 1_000 };
    const beats = coordinator.heartbeats.length;
    await coordinator.until(() => coordinator.heartbeats.length > beats + 1);
    await coordinator.down();
    while ((await processesWith(marker)) > 0) await sleep(20);
    coordinator.settings = { ...coordinator.settings, selfStopMs: 30_000 };
    await coordinator.up();
    const ended = coordinator.give(agent.again(assignment, { pauseBefore: 'b' }));
    expect(await coordinator.end(ended)).toEqual({ kind: 'paused', before: 1 });
    expect(coordinator.events(ended, 'resumed')).toHaveLength(1);
    expect(coordinator.events(attempt, 'ended')).toEqual([]);
  });

  it('drops an attempt that is another’s by now', async () => {
    const marker = `stale-${process.pid}`;
    const steps = [{ name: 'a', body: `touch $GATES/a-waits; exec -a ${marker} sleep 1000` }];
    await agent.start();
    const { coordinator } = agent;
    const attempt = coordinator.give(agent.assignment(steps));
    await agent.gate('a-waits');
    await coordinator.until(() => coordinator.events(attempt, 'step-started').length === 1);
    coordinator.want(attempt, { granted: false });
    while ((await processesWith(marker)) > 0) await sleep(20);
    await coordinator.until(() => coordinator.heartbeats.at(-1)?.attempts.length === 0);
    const next = coordinator.give(agent.assignment(ABC, { lineage: 'fresh' }));
    expect(await coordinator.end(next)).toEqual({ kind: 'succeeded' });
    expect(coordinator.events(attempt, 'ended')).toEqual([]);
    while ((await agent.spooled()).length > 0) await sleep(20);
  });

  it('runs two jobs of one area at once', async () => {
    const steps: readonly FarmStep[] = [
      { name: 'a' },
      { name: 'iso', lane: 'iso', body: `${waitFor('iso')}; echo iso > "$5/m"` },
      { name: 'usb', lane: 'usb', body: `${waitFor('usb')}; echo usb > "$5/m"` },
    ];
    await agent.start(2);
    const { coordinator } = agent;
    const { lineage } = agent.assignment(steps);
    const main = coordinator.give(agent.assignment(steps));
    expect(await coordinator.end(main)).toEqual({ kind: 'succeeded' });
    const checkpoint = coordinator.events(main, 'checkpoint-taken').at(-1)!.holding.id;
    const base = { workspace: 'build_data', label: '.end_a', lineage, checkpoint, tree: null };
    const iso = coordinator.give(agent.assignment(steps, { jobIndex: 1, base }));
    await agent.gate('iso-waits');
    const usb = coordinator.give(agent.assignment(steps, { jobIndex: 2, base }));
    await agent.gate('usb-waits');
    await agent.open('iso');
    await agent.open('usb');
    expect(await Promise.all([coordinator.end(iso), coordinator.end(usb)])).toEqual([
      { kind: 'succeeded' },
      { kind: 'succeeded' },
    ]);
    const sums = [iso, usb].map((attempt) => coordinator.events(attempt, 'artifact-published')[0]?.sha256);
    expect(sums).toEqual([sha256Of('iso\n'), sha256Of('usb\n')]);
  });

  it('counts what a log is too long for, and says so in it', async () => {
    const { coordinator } = agent;
    coordinator.settings = { ...coordinator.settings, maxLogBytes: 20_000 };
    await agent.start();
    const attempt = coordinator.give(agent.assignment([{ name: 'a', body: 'seq 100000' }]));
    expect(await coordinator.end(attempt)).toEqual({ kind: 'succeeded' });
    const { log } = coordinator.attempt(attempt);
    expect(log.length).toBeLessThanOrEqual(20_000);
    expect(log.toString()).toMatch(
      / - dc \| \d{6,} bytes lost here: the log of an attempt is limited to 20000 bytes\n/,
    );
  });

  it('finishes what runs when it is told to leave, and takes nothing new', async () => {
    await agent.start();
    const { coordinator } = agent;
    const attempt = coordinator.give(agent.assignment([{ name: 'a', body: waitFor('a') }]));
    await agent.gate('a-waits');
    const left = agent.stop('SIGTERM');
    await coordinator.until(() => coordinator.heartbeats.at(-1)?.leaving === true);
    await agent.open('a');
    expect(await left).toBe(0);
    expect(coordinator.events(attempt, 'ended')).toMatchObject([{ end: { kind: 'succeeded' } }]);
  });

  it('refuses a second process in its words', async () => {
    await agent.start();
    const second = await TestAgent.secondOf(agent);
    expect(second).toMatch(/^Another agent uses .*\/state: process \d+ on .*distrofarm-agent run/);
    expect(existsSync(join(agent.folder, 'state/identity.json'))).toBe(true);
  });
});
