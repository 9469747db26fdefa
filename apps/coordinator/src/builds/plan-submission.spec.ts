import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { newId, SubmitBuild, type AcceptedSubmission } from '#libs/contracts';
import { planRows } from './plan-rows.js';
import { planSubmission } from './plan-submission.js';

const ROOT = resolve(import.meta.dirname, '../../../..');
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'plan-submission-'));
});
afterAll(async () => {
  await rm(scratch, { recursive: true });
});

function submission(
  manifest: string,
  files: Readonly<Record<string, string>>,
  more = {},
): AcceptedSubmission {
  return SubmitBuild.parse({
    manifest,
    manifestPath: 'images/m.xml',
    files: Object.entries(files).map(([path, text]) => ({
      path,
      executable: true,
      base64: Buffer.from(text).toString('base64'),
    })),
    sourceDateEpoch: 1,
    ...more,
  });
}

function manifestOf(scripts: string, farm = ''): string {
  return `<distribution name="T" xmlns:farm="urn:distrofarm:1">
<distro_constr_params><build_area>/a</build_area><output_image><finalizer>
${scripts}
</finalizer></output_image></distro_constr_params>
<img_params><packages><pkg name="p"/></packages>
<boot_archive_contents><base_include type="dir">boot</base_include></boot_archive_contents></img_params>${farm}
</distribution>`;
}

function script(name: string, step: string, more = ''): string {
  return `<script name="${name}"${more}><checkpoint name="${step}"/></script>`;
}

const plan = async (accepted: AcceptedSubmission) => await planSubmission(accepted, scratch, new Date(0));

async function exampleFiles(folder: string): Promise<Record<string, string>> {
  const names = await readdir(join(ROOT, folder), { recursive: true });
  const files: Record<string, string> = {};
  for (const name of names) {
    const path = join(ROOT, folder, name);
    if ((await stat(path)).isFile()) files[relative(ROOT, path)] = await readFile(path, 'utf8');
  }
  return files;
}

describe('planSubmission', () => {
  it('cuts debian-live into the boot archives, the assembly, and the media', async () => {
    const manifest = await readFile(join(ROOT, 'examples/debian-live.xml'), 'utf8');
    const accepted = SubmitBuild.parse({
      ...submission(manifest, await exampleFiles('finalizers')),
      manifestPath: 'examples/debian-live.xml',
    });
    const [variant] = (await plan(accepted)).variants;
    const { jobs } = planRows(newId('b'), variant!, { boundaries: [], ends: [] });
    expect(
      jobs.map(({ lane, needs, requires, base, imports, end_label }) => [
        lane,
        requires.architecture,
        needs,
        base?.job ?? null,
        imports.map(({ job }) => job),
        end_label,
      ]),
    ).toEqual([
      ['x86-64', 'amd64', [], null, [], null],
      ['x86-32', 'i386', [], null, [], null],
      ['main', 'amd64', [0, 1], null, [0, 0, 1, 1], '.end_gen-slim-cont'],
      ['iso', 'amd64', [2], 2, [], null],
      ['usb', 'amd64', [2], 2, [], null],
    ]);
    expect(jobs.every(({ state }) => state === 'blocked')).toBe(true);
    expect(jobs[0]!.requires.freeBytes).toBe(3 * 1024 ** 3);
  });

  it('makes one job of a manifest without lanes', async () => {
    const planned = await plan(
      submission(manifestOf(script('a', 'a') + script('b', 'b')), {
        'images/a': '#!/bin/sh\n',
        'images/b': '#!/bin/sh\n',
      }),
    );
    expect(planned.variants.map(({ name }) => name)).toEqual(['default']);
    expect(planned.variants[0]!.plan.jobs).toHaveLength(1);
  });

  it('makes each variant of the manifest, or those that were asked for', async () => {
    const farm = `<farm:variants><farm:variant name="base"/><farm:variant name="de"><farm:package add="q"/></farm:variant></farm:variants>`;
    const given = (variants: readonly string[]) =>
      submission(manifestOf(script('a', 'a'), farm), { 'images/a': '#!/bin/sh\n' }, { variants });
    expect((await plan(given([]))).variants.map(({ name }) => name)).toEqual(['base', 'de']);
    expect((await plan(given(['de']))).variants.map(({ name }) => name)).toEqual(['de']);
    await expect(plan(given(['fr']))).rejects.toMatchObject({
      code: 'INVALID',
      hint: 'Its variants are: base, de.',
    });
  });

  const fingerprint = (command: string): string =>
    `<script name="a"><checkpoint name="a"/><farm:fingerprint>${command}</farm:fingerprint></script>`;

  it('reads the programs of fingerprints as scripts, and names those that are not of the submission', async () => {
    const given = (command: string, files = {}) =>
      plan(submission(manifestOf(fingerprint(command)), { 'images/a': '#!/bin/sh\n', ...files }));
    const own = await given('../tools/state x', { 'tools/state': '#!/bin/sh\n' });
    expect(own.scripts.map(({ path }) => path)).toEqual(['images/a', 'tools/state']);
    expect(own.commands).toEqual([]);
    expect(own.variants[0]!.fingerprints).toEqual([
      { step: 0, command: ['../tools/state', 'x'], program: own.scripts[1]!.sha256 },
    ]);
    const theirs = await given('curl http://mirror');
    expect(theirs.commands).toEqual([{ step: 'a', program: 'curl' }]);
    expect(theirs.variants[0]!.fingerprints).toEqual([
      { step: 0, command: ['curl', 'http://mirror'], program: null },
    ]);
  });

  it.each([
    ['./state', 'does not exist; expected an executable file among the submitted ones'],
    ['/bin/date', 'lies outside of the submission; expected a path below its root'],
    ['../../date', 'lies outside of the submission; expected a path below its root'],
  ])('refuses the fingerprint program %s', async (command, why) => {
    const accepted = submission(manifestOf(fingerprint(command)), { 'images/a': '#!/bin/sh\n' });
    await expect(plan(accepted)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      problems: [`images/m.xml:3: step "a": fingerprint program ${command} ${why}`],
    });
  });

  const AXES = `<farm:variants>
<farm:axis name="locale"><farm:value name="en"/><farm:value name="de"><farm:package remove="p"/><farm:package add="q"/></farm:value></farm:axis>
<farm:axis name="edition"><farm:value name="base"/><farm:value name="odd"><farm:set path="img_params/packages/pkg[name=p]/name" value="r"/></farm:value></farm:axis>
</farm:variants>`;
  const combined = (more: object) =>
    plan(submission(manifestOf(script('a', 'a'), AXES), { 'images/a': '#!/bin/sh\n' }, more));

  it('makes the combinations of a matrix, each with a content of its own', async () => {
    const { variants } = await combined({ matrix: { edition: ['base'], locale: [] } });
    expect(variants.map(({ name }) => name)).toEqual(['locale-en.edition-base', 'locale-de.edition-base']);
    expect(new Set(variants.map(({ plan: { digests } }) => digests.content)).size).toBe(2);
    const [named] = (await combined({ variants: ['locale-de.edition-base'] })).variants;
    expect(named!.plan.digests).toEqual(variants[1]!.plan.digests);
    expect((await combined({})).variants.map(({ name }) => name)).toEqual(['default']);
  });

  it('says what a manifest does not have, and which combination is not in order', async () => {
    await expect(combined({ matrix: { lokale: [] } })).rejects.toMatchObject({
      code: 'INVALID',
      message: 'the manifest has no axis "lokale"',
      hint: 'Did you mean locale? Its axes are: locale, edition.',
    });
    await expect(combined({ matrix: { locale: [] }, variants: ['default'] })).rejects.toMatchObject({
      code: 'INVALID',
      message: 'variants were named, and a matrix too',
    });
    for (const request of [
      { matrix: { locale: [], edition: [] } },
      { variants: ['locale-de.edition-odd'] },
    ]) {
      await expect(combined(request)).rejects.toMatchObject({
        code: 'MANIFEST_INVALID',
        problems: [
          expect.stringMatching(
            /^images\/m\.xml:8:\d+: .*farm:set: found "img_params\/packages\/pkg\[name=p\]\/name", which matches nothing/,
          ),
        ],
      });
    }
  });

  it('finds what the manifest includes among the submitted files, from its own folder', async () => {
    const part = (inside: string) => `<farm:part xmlns:farm="urn:distrofarm:1">\n${inside}</farm:part>`;
    const manifest = manifestOf(script('a', 'a') + '<farm:include href="shared/steps.xml"/>');
    const files = { 'images/a': '#!/bin/sh\n', 'images/shared/steps.xml': part(script('a', 'b')) };
    const [variant] = (await plan(submission(manifest, files))).variants;
    expect(variant!.plan.steps.map(({ name }) => name)).toEqual(['a', 'b']);
    await expect(
      plan(submission(manifest, { ...files, 'images/shared/steps.xml': part(script('gone', 'b')) })),
    ).rejects.toMatchObject({
      problems: [
        expect.stringMatching(/^images\/shared\/steps\.xml:2: step "b": script gone does not exist/),
      ],
    });
    await expect(
      plan(submission(manifest, { 'images/a': '', 'shared/steps.xml': part('') })),
    ).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      problems: [
        expect.stringMatching(/^images\/m\.xml:3:.*found "shared\/steps\.xml", which does not exist/),
      ],
    });
  });

  it('tells every problem of the manifest at its line', async () => {
    const bad = plan(submission(manifestOf(script('a', '9') + '<script/>'), {}));
    await expect(bad).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      problems: expect.arrayContaining([expect.stringMatching(/^images\/m\.xml:3:/)]),
    });
  });

  it.each([
    ['was not submitted', script('none', 'a'), /script none does not exist/],
    ['is not executable', script('../docs/x', 'a'), /script \.\.\/docs\/x is not executable/],
    ['lies outside', script('../../../etc/passwd', 'a'), /lies outside of the submission/],
    ['is absolute', script('/bin/true', 'a'), /lies outside of the submission/],
  ])('refuses a script that %s', async (_, steps, words) => {
    const accepted = submission(manifestOf(steps), {});
    const file = { path: 'docs/x', executable: false, base64: '' };
    await expect(plan({ ...accepted, files: [file] })).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      problems: [expect.stringMatching(words)],
    });
  });

  it('gives one digest for a script and what it includes, whatever else is submitted', async () => {
    const including = '#!/bin/sh\n# farm:includes: lib.sh\n';
    const digest = async (lib: string) =>
      (await plan(submission(manifestOf(script('a', 'a')), { 'images/a': including, 'images/lib.sh': lib })))
        .scripts;
    expect(await digest('x')).toEqual([{ path: 'images/a', sha256: expect.any(String) }]);
    expect(await digest('x')).toEqual(await digest('x'));
    expect(await digest('x')).not.toEqual(await digest('y'));
  });

  it.each([
    ['two files of one path', [{ path: 'a' }, { path: 'a' }], 'INVALID'],
    ['a file where a folder is', [{ path: 'a' }, { path: 'a/b' }], 'INVALID'],
  ])('refuses %s', async (_, paths, code) => {
    const files = paths.map(({ path }) => ({ path, executable: false, base64: '' }));
    await expect(plan({ ...submission(manifestOf(script('a', 'a')), {}), files })).rejects.toMatchObject({
      code,
    });
  });

  it.each(['../a', '/a', 'a//b', 'a/../b', './a', 'a\\b', 'a\nb', ''])('takes no path %j', (path) => {
    expect(
      SubmitBuild.safeParse({ ...submission('', {}), files: [{ path, executable: true, base64: '' }] })
        .success,
    ).toBe(false);
  });

  it('knows the steps a pause may be in front of', async () => {
    const given = (pauseBefore: string) =>
      submission(manifestOf(script('a', 'first')), { 'images/a': '#!/bin/sh\n' }, { pauseBefore });
    expect((await plan(given('first'))).variants).toHaveLength(1);
    expect((await plan(given('0'))).variants).toHaveLength(1);
    await expect(plan(given('second'))).rejects.toMatchObject({ code: 'INVALID', problems: ['0 first'] });
  });

  it('leaves nothing in its folder', async () => {
    expect(await readdir(scratch)).toEqual([]);
  });
});
