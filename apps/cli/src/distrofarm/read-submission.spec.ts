import { MAX_FILES, MAX_SUBMISSION_BYTES, SubmitBuild } from '#libs/contracts';
import { parseManifest } from '#libs/manifest';
import { readScript, scriptPath } from '#libs/steps';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { smallManifest } from '../../../../libs/manifest/src/testing.js';
import { EXIT } from './exit-codes.js';
import { LIMITS, readSubmission, type Submission } from './read-submission.js';
import { submissionBody } from './submission-body.js';

const REPOSITORY = join(import.meta.dirname, '../../../..');
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrofarm-submission-'));
});
afterEach(() => rm(folder, { recursive: true }));

const read = (manifest: string, extras: readonly string[] = [], env: Record<string, string> = {}) =>
  readSubmission({ manifest, extras, cwd: folder, env, now: Date.now() });

async function put(path: string, content: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
  await chmod(join(folder, path), mode);
}

async function manifestOf(...scripts: readonly string[]): Promise<void> {
  const steps = scripts.map(
    (script, index) => `<script name="${script}"><checkpoint name="s${index}" message="m"/></script>`,
  );
  await put('images/live.xml', smallManifest({ steps: steps.join('') }));
}

const paths = ({ files }: Submission) => files.map(({ path }) => path);

/** As the coordinator and the agents do it: everything at its place, then each script read there. */
async function laidOut({ text, manifestPath, files, manifest }: Submission): Promise<readonly string[]> {
  const root = join(folder, 'laid-out');
  for (const { path, base64, executable } of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), Buffer.from(base64, 'base64'), { mode: executable ? 0o755 : 0o644 });
  }
  const parsed = parseManifest(text, { file: join(root, manifestPath), now: new Date() });
  expect(parsed.ok).toBe(true);
  const read = manifest.steps.map(
    async ({ script }) => await readScript(scriptPath(join(root, manifestPath), script)),
  );
  return (await Promise.all(read)).map((result) => (result.ok ? result.script.digest : result.reason));
}

describe('readSubmission', () => {
  it.each(['debian-live.xml', 'debian-minimal.xml', 'debian-booted.xml'])(
    'takes all that examples/%s needs',
    async (name) => {
      const file = join(REPOSITORY, 'examples', name);
      const submission = await read(file);
      expect(submission).toMatchObject({ root: REPOSITORY, manifestPath: `examples/${name}` });
      expect(paths(submission)).toContain('finalizers/common/step.sh');
      expect(paths(submission)).toContain('finalizers/debian/repository-state');
      expect(submission.files.find(({ path }) => path === 'finalizers/debian/im-pop')).toMatchObject({
        executable: true,
      });
      const here = submission.manifest.steps.map(async ({ script }) => {
        const result = await readScript(scriptPath(file, script));
        return result.ok ? result.script.digest : result.reason;
      });
      expect(await laidOut(submission)).toEqual(await Promise.all(here));
    },
  );

  it('is a body that the API takes', async () => {
    await manifestOf('../steps/a');
    await put('steps/a', '#!/bin/sh\n', 0o755);
    const body = submissionBody(await read('images/live.xml'), {
      variant: ['v'],
      pause: 's0',
      priority: 'high',
      on: 'agent-a',
    });
    expect(SubmitBuild.parse(body)).toMatchObject({
      variants: ['v'],
      matrix: {},
      pauseBefore: 's0',
      onAgent: 'agent-a',
      priority: 'high',
    });
    expect(SubmitBuild.parse(body)).toMatchObject({ reuse: true });
    const without = submissionBody(await read('images/live.xml'), { reuse: false });
    expect(SubmitBuild.parse(without)).toMatchObject({ reuse: false });
    const matrix = { locale: ['en', 'de'], edition: [] };
    expect(SubmitBuild.parse(submissionBody(await read('images/live.xml'), { matrix }))).toMatchObject({
      matrix,
    });
    // A farm that does not know it yet takes a submission without.
    expect(submissionBody(await read('images/live.xml'), {})).not.toHaveProperty('matrix');
    expect(SubmitBuild.parse(submissionBody(await read('images/live.xml'), {}))).toMatchObject({
      priority: 'normal',
      wait: false,
    });
  });

  it('has the limits of the API', () => {
    expect(LIMITS).toMatchObject({ files: MAX_FILES, bodyBytes: MAX_SUBMISSION_BYTES });
    const file = (bytes: number) => ({
      path: 'a',
      executable: false,
      base64: Buffer.alloc(bytes).toString('base64'),
    });
    const parse = (bytes: number) => SubmitBuild.shape.files.safeParse([file(bytes)]).success;
    expect([parse(LIMITS.fileBytes), parse(LIMITS.fileBytes + 3)]).toEqual([true, false]);
  });

  it('takes along what the manifest includes, and is as new as the newest of it', async () => {
    const part = '<farm:part xmlns:farm="urn:distrofarm:1"><hostname>host</hostname></farm:part>';
    await put('images/a', '#!/bin/sh\n', 0o755);
    await put('images/shared/host.xml', part);
    await put(
      'images/live.xml',
      smallManifest({
        steps: '<script name="a"><checkpoint name="a"/></script>',
        image: '<farm:include href="shared/host.xml"/>',
      }),
    );
    await utimes(join(folder, 'images/live.xml'), 1_500_000_000, 1_500_000_000);
    await utimes(join(folder, 'images/shared/host.xml'), 1_600_000_000, 1_600_000_000);
    const submission = await read('images/live.xml');
    expect(submission).toMatchObject({ manifestPath: 'live.xml', sourceDateEpoch: 1_600_000_000 });
    expect(submission.files).toEqual([
      { path: 'a', executable: true, base64: expect.any(String) },
      { path: 'shared/host.xml', executable: false, base64: Buffer.from(part).toString('base64') },
    ]);
    await symlink(join(folder, 'outside.xml'), join(folder, 'images/shared/out.xml'));
    await put('outside.xml', part);
    await put('images/live.xml', smallManifest({ image: '<farm:include href="shared/out.xml"/>' }));
    await expect(read('images/live.xml')).rejects.toMatchObject({
      exit: EXIT.usage,
      problems: [expect.stringContaining(`"shared/out.xml", which leads out of the manifest's folder`)],
    });
  });

  it('stays small: manifest and scripts side by side', async () => {
    await manifestOf('a');
    await put('images/a', '#!/bin/sh\n', 0o755);
    const submission = await read('images/live.xml');
    expect(submission).toMatchObject({ root: join(folder, 'images'), manifestPath: 'live.xml' });
    expect(paths(submission)).toEqual(['a']);
  });

  it('follows a linked script, and puts what it includes where it will look', async () => {
    await manifestOf('steps/linked', 'far/x/real');
    await put('images/far/x/real', '#!/bin/sh\n# farm:includes: ../lib.sh near.sh\n', 0o755);
    await put('images/far/lib.sh', 'lib');
    await put('images/far/x/near.sh', 'near');
    await mkdir(join(folder, 'images/steps'));
    await symlink('../far/x/real', join(folder, 'images/steps/linked'));
    const submission = await read('images/live.xml');
    expect(paths(submission)).toEqual([
      'far/lib.sh',
      'far/x/near.sh',
      'far/x/real',
      'lib.sh',
      'steps/linked',
      'steps/near.sh',
    ]);
    const [linked, real] = await laidOut(submission);
    expect(linked).toBe(real);
    expect(linked).toMatch(/^[0-9a-f]{64}$/);
  });

  it('refuses links that would need two files in one place', async () => {
    await manifestOf('s/one', 's/two');
    for (const name of ['one', 'two']) {
      await put(`images/${name}/run`, '#!/bin/sh\n# farm:includes: lib.sh\n', 0o755);
      await put(`images/${name}/lib.sh`, name);
      await mkdir(join(folder, 'images/s'), { recursive: true });
      await symlink(`../${name}/run`, join(folder, 'images/s', name));
    }
    await expect(read('images/live.xml')).rejects.toMatchObject({
      problems: [expect.stringMatching(/s\/lib\.sh: both .* belong there/)],
    });
  });

  it('takes extra files, and folders with all that is in them', async () => {
    await manifestOf('a');
    await put('images/a', '#!/bin/sh\n', 0o755);
    await put('data/one', '1');
    await put('data/deep/two', '2', 0o755);
    await put('three', '3');
    const submission = await read('images/live.xml', ['data', 'three']);
    expect(submission).toMatchObject({ root: folder, manifestPath: 'images/live.xml' });
    expect(submission.files.map(({ path, executable }) => [path, executable])).toEqual([
      ['data/deep/two', true],
      ['data/one', false],
      ['images/a', true],
      ['three', false],
    ]);
  });

  describe('of a fingerprint', () => {
    const withFingerprint = async (command: string): Promise<void> => {
      const fingerprint = `<farm:fingerprint>${command}</farm:fingerprint>`;
      const steps = `<script name="a"><checkpoint name="s0" message="m"/>${fingerprint}</script>`;
      await put('images/live.xml', smallManifest({ steps }));
      await put('images/a', '#!/bin/sh\n', 0o755);
    };

    it('takes the program, with what it includes, as of a script', async () => {
      await withFingerprint('../tools/state x');
      await put('tools/state', '#!/bin/sh\n# farm:includes: lib.sh\n', 0o755);
      await put('tools/lib.sh', ':');
      expect(paths(await read('images/live.xml'))).toEqual([...['images/a', 'tools/lib.sh', 'tools/state']]);
    });

    it('takes nothing of a command that agents have', async () => {
      await withFingerprint('sha256sum /etc/os-release');
      expect(paths(await read('images/live.xml'))).toEqual(['a']);
    });

    it.each([
      [
        './state',
        /^images\/live\.xml:6: step "s0": .*images\/state does not exist; expected an executable file/,
      ],
      ['/bin/date', /step "s0": the fingerprint program \/bin\/date has an absolute path/],
      ['../tools/plain', /tools\/plain is not executable/],
    ])('names %s, which it cannot take', async (command, problem) => {
      await withFingerprint(command);
      await put('tools/plain', '#!/bin/sh\n');
      await expect(read('images/live.xml')).rejects.toMatchObject({
        exit: EXIT.usage,
        problems: [expect.stringMatching(problem)],
      });
    });
  });

  it('names every problem at its line, and exits with 2', async () => {
    await manifestOf('missing', '/usr/bin/true', 'plain', 'includes');
    await put('images/plain', 'x');
    await put('images/includes', '#!/bin/sh\n# farm:includes: nowhere.sh\n', 0o755);
    await expect(read('images/live.xml')).rejects.toMatchObject({
      exit: EXIT.usage,
      problems: [
        expect.stringMatching(/^images\/live\.xml:6: step "s0": .*missing does not exist/),
        expect.stringMatching(/step "s1": the script \/usr\/bin\/true has an absolute path/),
        expect.stringMatching(/step "s2": .*plain is not executable/),
        expect.stringMatching(/step "s3": .*includes nowhere\.sh, which does not exist/),
      ],
    });
  });

  it('shows all problems of the manifest itself', async () => {
    await put('bad.xml', '<distribution name="-">\n<nonsense/>\n</distribution>');
    const refusal = read('bad.xml');
    await expect(refusal).rejects.toMatchObject({
      exit: EXIT.usage,
      message: expect.stringContaining('nothing was submitted'),
    });
    const { problems } = (await refusal.catch((error: unknown) => error)) as { problems: string[] };
    expect(problems.length).toBeGreaterThan(1);
    expect(problems.every((problem) => problem.startsWith('bad.xml:'))).toBe(true);
  });

  it.each([
    ['no such file', 'missing.xml', /does not exist/],
    ['a folder', '.', /is a folder/],
  ])('refuses %s', async (_what, name, message) => {
    await expect(read(name)).rejects.toMatchObject({
      exit: EXIT.usage,
      message: expect.stringMatching(message),
    });
  });

  it('refuses what is too large, in words', async () => {
    await manifestOf('a');
    await put('images/a', '#!/bin/sh\n', 0o755);
    await put('big', '');
    await truncate(join(folder, 'big'), LIMITS.fileBytes + 1);
    await expect(read('images/live.xml', ['big'])).rejects.toMatchObject({
      problems: [
        expect.stringMatching(
          /big has 4\.2 MB, and a submitted file may have 4\.2 MB; let the script fetch it/,
        ),
      ],
    });
    for (let index = 0; index < 5; index += 1) {
      await put(`many/${index}`, '');
      await truncate(join(folder, `many/${index}`), LIMITS.fileBytes);
    }
    await expect(read('images/live.xml', ['many'])).rejects.toMatchObject({
      problems: [expect.stringMatching(/the submission has 28\.0 MB, and may have 16\.8 MB/)],
    });
  });

  it('takes the time of images from SOURCE_DATE_EPOCH, else from the manifest file', async () => {
    await manifestOf('a');
    await put('images/a', '#!/bin/sh\n', 0o755);
    await utimes(join(folder, 'images/live.xml'), 1_700_000_000.9, 1_700_000_000.9);
    expect((await read('images/live.xml')).sourceDateEpoch).toBe(1_700_000_000);
    expect((await read('images/live.xml', [], { SOURCE_DATE_EPOCH: '42' })).sourceDateEpoch).toBe(42);
    expect((await read('images/live.xml', [], { SOURCE_DATE_EPOCH: 'soon' })).sourceDateEpoch).toBe(
      1_700_000_000,
    );
    expect((await read('images/live.xml')).text).toBe(
      await readFile(join(folder, 'images/live.xml'), 'utf8'),
    );
  });
});
