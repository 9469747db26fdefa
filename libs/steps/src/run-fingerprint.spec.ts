// Needs root and Linux namespaces.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { planOf } from '../../plan/src/testing.js';
import type { AnswerQuery } from './manifest-socket.js';
import { runFingerprint, type FingerprintResult, type FingerprintRun } from './run-fingerprint.js';
import { SYSTEM_PATH } from './step-environment.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'run-fingerprint-'));
  await mkdir(join(folder, 'manifests'));
});
afterEach(async () => rm(folder, { recursive: true }));

async function run(
  command: readonly string[],
  change: Partial<FingerprintRun> = {},
): Promise<FingerprintResult> {
  const [step] = planOf(['im-pop']).steps;
  if (step === undefined) throw new Error('one step expected');
  return await runFingerprint({
    step,
    command,
    manifestFile: join(folder, 'manifests', 'm.xml'),
    answer: () => ({ kind: 'values', values: [] }),
    environment: { PATH: `${resolve('bin')}:${SYSTEM_PATH}`, DC_STEP: 'im-pop' },
    signal: new AbortController().signal,
    ...change,
  });
}

/** A script beside the manifest's folder. */
async function program(body: string): Promise<string> {
  await writeFile(join(folder, 'state'), `#!/bin/bash\n${body}\n`, { mode: 0o755 });
  return '../state';
}

async function reasonOf(body: string, change: Partial<FingerprintRun> = {}): Promise<string> {
  const result = await run([await program(body)], change);
  return result.ok ? 'no failure' : `${result.kind}: ${result.reason}`;
}

const ITS_COMMAND = 'step "im-pop": its fingerprint command ../state';

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

describe('runFingerprint', () => {
  it('gives the digest of what a program of the PATH writes', async () => {
    await writeFile(join(folder, 'list'), 'packages');
    expect(await run(['cat', join(folder, 'list')])).toEqual({ ok: true, output: sha256('packages') });
  });

  it('finds a program with a slash in its name from the folder of the manifest, whatever it works in', async () => {
    const body = 'echo "$@"; ls -A; test "$PWD" != / && test ! -t 0 && test -z "$(cat)"';
    expect(await run([await program(body), 'a b', 'c'])).toEqual({ ok: true, output: sha256('a b c\n') });
  });

  it('has what the step has in its environment, and may ask the manifest what it may', async () => {
    const answer: AnswerQuery = (request) =>
      request === 'name' ? { kind: 'values', values: ['Tiny'] } : { kind: 'refused', reason: 'not declared' };
    const asks = 'echo "$DC_STEP"; ManifestRead "$DC_MANIFEST_SOCKET" name';
    expect(await run([await program(asks)], { answer })).toEqual({
      ok: true,
      output: sha256('im-pop\nTiny\n'),
    });
    expect(await reasonOf('ManifestRead "$DC_MANIFEST_SOCKET" other', { answer })).toMatch(
      /^exited: .* Its last line of errors: .*not declared/,
    );
  });

  it('leaves nothing behind', async () => {
    await reasonOf(`echo "$PWD $DC_MANIFEST_SOCKET" > ${folder}/places; touch here; sleep 1000 & exit 1`);
    const places = (await readFile(join(folder, 'places'), 'utf8')).trim().split(' ');
    expect(places).toHaveLength(2);
    expect(places.filter((path) => existsSync(path))).toEqual([]);
  });

  it.each([
    ['exit 3', 'exited: ITS_COMMAND ended with exit status 3; expected exit status 0'],
    [
      'echo first >&2; printf "no \\033[31mroute\\n\\n" >&2; exit 1',
      'exited: ITS_COMMAND ended with exit status 1; expected exit status 0. Its last line of errors: no ?[31mroute',
    ],
    ['kill -KILL $$', 'killed: ITS_COMMAND was ended by SIGKILL; expected exit status 0'],
    ['true', 'empty: ITS_COMMAND wrote nothing; expected what changes when the step would do something else'],
    ['yes', 'too-long: ITS_COMMAND wrote more than 64 KiB; expected a digest, or a few lines'],
  ])('%s', async (body, reason) => {
    expect(await reasonOf(body)).toBe(reason.replace('ITS_COMMAND', ITS_COMMAND));
  });

  it('takes 64 KiB, and not a byte more', async () => {
    expect(await run(['head', '--bytes=65536', '/dev/zero'])).toMatchObject({ ok: true });
    expect(await run(['head', '--bytes=65537', '/dev/zero'])).toMatchObject({ kind: 'too-long' });
  });

  it('ends what hangs, also when it does not want to end', async () => {
    expect(await reasonOf('trap "" TERM; echo x; while :; do sleep 1; done', { limitMs: 200 })).toBe(
      `timed-out: ${ITS_COMMAND} had not ended after 0.2 s; expected its output within that`,
    );
  });

  it('ends when it is told to', async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 50);
    expect(await reasonOf('sleep 1000', { signal: abort.signal })).toBe(
      `interrupted: ${ITS_COMMAND} was interrupted`,
    );
  });

  it.each([
    [['no-such-program', 'a b'], "no-such-program 'a b'", "a program in the steps' PATH"],
    [['./missing'], './missing', 'an executable file'],
  ])('says that %j is not there', async (command, shown, expected) => {
    expect(await run(command)).toEqual({
      ok: false,
      kind: 'not-started',
      reason: `step "im-pop": its fingerprint command ${shown} did not start: No such file or directory; expected ${expected}`,
    });
  });
});
