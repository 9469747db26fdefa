// Needs root, Linux namespaces, and ZFS with a pool named in DC_TEST_POOL (scripts/with-zfs.sh).
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Workspace } from '#libs/engine';
import { createDataset, parseDatasetName, ZfsCommand, ZfsSnapshotStore } from '#libs/snapshots';
import { ScriptRunner } from '#libs/steps';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planOf } from '../../libs/plan/src/testing.js';

jest.setTimeout(60_000);

const root = parseDatasetName(`${process.env['DC_TEST_POOL'] ?? 'DC_TEST_POOL'}/step-mounts`);
const store = new ZfsSnapshotStore({ root, layout: ['pkg_image', 'boot_archive', 'tmp'] });
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'step-mounts-'));
  await createDataset(root);
});
afterEach(async () => {
  await store.destroy('build_data');
  await new ZfsCommand().zfsRetrying(['BUSY'], 'destroy', '-r', root);
  await rm(folder, { recursive: true });
});

/** Runs a step in a workspace, and `work` while it runs. Resolves to what the step wrote. */
async function whileRunning(body: string, workspace: Workspace, work: () => Promise<void>): Promise<string> {
  const script = join(folder, 'script');
  await writeFile(script, `#!/bin/bash\n${body}\necho ready\nsleep 1000\n`, { mode: 0o755 });
  const [step] = planOf(['long']).steps;
  const abort = new AbortController();
  let output = '';
  const isReady = new EventEmitter();
  const ready = once(isReady, 'ready');
  const runner = new ScriptRunner({
    answerFor: () => () => ({ kind: 'values', values: [] }),
    mediaPath: folder,
    environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    variablesOf: () => ({}),
    workingFolder: '/',
    onOutput: (_, __, bytes) => {
      output += Buffer.from(bytes).toString();
      if (output.endsWith('ready\n')) isReady.emit('ready');
    },
    killAfterMs: 100,
  });
  const run = runner.run({ ...step!, script }, workspace, abort.signal);
  await Promise.race([ready, run]);
  try {
    await work();
  } finally {
    abort.abort();
    await run;
  }
  return output;
}

describe('a running step', () => {
  it('pins no workspace but its own', async () => {
    const facts = { build: 'b1' };
    await store.startEmpty('build_data');
    const end = await store.take('build_data', '.end', facts);
    const own = await store.startFrom(end, 'build_data.a');
    const other = await store.startFrom(end, 'build_data.b');
    const before = await store.take(other.name, '.step_x', facts);
    await writeFile(join(other.path, 'tmp/new'), 'x');
    const output = await whileRunning('echo own > "$3/own"', own, async () => {
      await store.startFrom(before, 'build_data.b');
      await store.destroy('build_data.b');
      await store.startFrom(end, 'build_data.c');
      await store.destroy('build_data.c');
    });
    expect(output).toBe('ready\n');
    expect(await readFile(join(own.path, 'tmp/own'), 'utf8')).toBe('own\n');
  });

  it('pins its own, and the store says who is in the way', async () => {
    const workspace = await store.startEmpty('build_data');
    await whileRunning(':', workspace, async () => {
      await expect(store.destroy('build_data')).rejects.toMatchObject({ code: 'BUSY' });
    });
  });
});
