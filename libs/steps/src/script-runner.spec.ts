// Needs root and Linux namespaces.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { StepOutcome } from '#libs/engine';
import type { PlannedStep } from '#libs/plan';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { planOf } from '../../plan/src/testing.js';
import { ScriptRunner } from './script-runner.js';
import { SpaceWatch, type SpaceWatchOptions } from './space-watch.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'script-runner-'));
  await mkdir(join(folder, 'pkg_image'));
});
afterEach(async () => rm(folder, { recursive: true }));

interface Options {
  readonly step?: Partial<PlannedStep>;
  readonly signal?: AbortSignal;
  readonly watch?: Partial<SpaceWatchOptions>;
}

async function run(
  body: string,
  { step = {}, signal = new AbortController().signal, watch }: Options = {},
): Promise<StepOutcome> {
  const script = join(folder, 'script');
  await writeFile(script, `#!/bin/bash\n${body}\n`, { mode: 0o755 });
  const [planned] = planOf(['step']).steps;
  if (planned === undefined) throw new Error('one step expected');
  const scripts = new ScriptRunner({
    answerFor: () => () => ({ kind: 'values', values: [] }),
    mediaPath: join(folder, 'media'),
    environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    variablesOf: ({ name, lane }) => ({ DC_STEP: name, DC_LANE: lane }),
    workingFolder: folder,
    onOutput: () => {},
    killAfterMs: 200,
    stragglerGraceMs: 50,
  });
  const runner = watch === undefined ? scripts : new SpaceWatch(scripts, { ...watchOptions, ...watch });
  return await runner.run({ ...planned, script, ...step }, { name: 'build_data', path: folder }, signal);
}

const watchOptions: SpaceWatchOptions = {
  space: () => Promise.resolve({ freeBytes: 1e9, usedBytes: 0 }),
  floorBytes: 1e6,
  maxImageBytes: null,
  neededBytes: () => 0,
  alsoWeigh: [],
  intervalMs: 20,
  settleMs: 0,
};

describe('ScriptRunner', () => {
  it.each<[string, StepOutcome]>([
    ['exit 0', { kind: 'succeeded' }],
    ['exit 4', { kind: 'exited', status: 4 }],
  ])('%s', async (body, outcome) => {
    expect(await run(body)).toEqual(outcome);
  });

  it('ends a step that runs too long, or says nothing for too long', async () => {
    expect(await run('while :; do echo x; sleep 0.01; done', { step: { timeoutSeconds: 0.2 } })).toEqual({
      kind: 'timed-out',
      limitSeconds: 0.2,
    });
    expect(await run('echo x; sleep 1000', { step: { silenceSeconds: 0.2 } })).toEqual({
      kind: 'silent',
      limitSeconds: 0.2,
    });
  });

  it('does not take a step that goes on talking for silent', async () => {
    expect(
      await run('for i in 1 2 3 4 5 6; do echo x; sleep 0.1; done', { step: { silenceSeconds: 0.4 } }),
    ).toEqual({
      kind: 'succeeded',
    });
  });

  it('says why it was interrupted', async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error('SIGTERM')), 50);
    expect(await run('sleep 1000', { signal: abort.signal })).toEqual({
      kind: 'interrupted',
      reason: 'SIGTERM',
    });
  });

  it('leaves no socket behind', async () => {
    expect(await run('test -S "$1" && echo -n "$1" > socket-path; exit 1')).toEqual({
      kind: 'exited',
      status: 1,
    });
    const path = await readFile(join(folder, 'socket-path'), 'utf8');
    expect([path, dirname(path)].filter((each) => existsSync(each))).toEqual([]);
  });
});

describe('SpaceWatch', () => {
  const full = (): Promise<{ freeBytes: number; usedBytes: number }> =>
    Promise.resolve({ freeBytes: 10, usedBytes: 1e9 });

  it('runs nothing where too little is free for the rest of the build', async () => {
    const outcome = await run('touch ran', { watch: { neededBytes: () => 2e9 } });
    expect(outcome).toEqual({
      kind: 'out-of-space',
      report: '1000 MB are free in the build area, and 2000 MB are needed from here on',
    });
    expect(await readdir(folder)).not.toContain('ran');
  });

  it('waits for room that a roll back gave back', async () => {
    let looks = 0;
    const space = async (): ReturnType<typeof full> =>
      (looks += 1) > 1 ? { freeBytes: 1e9, usedBytes: 0 } : await full();
    expect(await run('exit 0', { watch: { space, settleMs: 60_000 } })).toEqual({ kind: 'succeeded' });
  });

  it('stops a step when the disk fills up, and names what is largest', async () => {
    const space = async (): ReturnType<typeof full> =>
      existsSync(join(folder, 'written')) ? await full() : { freeBytes: 1e9, usedBytes: 0 };
    const fill = 'head -c 3000000 /dev/zero > "$2/large"; touch "${2%/*}/written"; sleep 1000';
    const outcome = await run(fill, { watch: { space } });
    expect(outcome).toMatchObject({ kind: 'out-of-space' });
    expect(outcome).toHaveProperty(
      'report',
      expect.stringMatching(/full: 1 MB left; .*pkg_image holds 4 MB/),
    );
  });

  it('tells a script that met the full disk itself from one that just failed', async () => {
    let looks = 0;
    const space = async (): ReturnType<typeof full> =>
      (looks += 1) > 1 ? await full() : { freeBytes: 1e9, usedBytes: 0 };
    expect(await run('exit 1', { watch: { space, intervalMs: 60_000 } })).toMatchObject({
      kind: 'out-of-space',
    });
    expect(await run('exit 1', { watch: {} })).toEqual({ kind: 'exited', status: 1 });
  });

  it('holds the image to its limit', async () => {
    const outcome = await run('head -c 3000000 /dev/zero > "$2/large"', {
      watch: { maxImageBytes: 2e6, intervalMs: 60_000 },
    });
    expect(outcome).toMatchObject({
      kind: 'out-of-space',
      report: expect.stringContaining('pkg_image_area_max_size_gb') as unknown,
    });
  });
});
