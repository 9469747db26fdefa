// Needs root, Linux namespaces, the built dist/, and ZFS with a pool named in DC_TEST_POOL (scripts/with-zfs.sh).
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { M, TestBuild, type ManifestOptions, type StoreKind } from '../support/test-build.js';

jest.setTimeout(120_000);

const ALL = ['im-pop', 'im-mod', 'ba-init', 'iso'];
const labels = (...steps: readonly string[]): readonly string[] =>
  steps.map((step) => `.step_${step}`).toSorted();

let build: TestBuild;

async function freshBuild(kind: StoreKind): Promise<void> {
  build = await TestBuild.create(kind);
}
afterEach(async () => build.remove());

/** Runs a build that must succeed, and forgets what it noted. */
async function succeed(...args: readonly string[]): Promise<void> {
  expect(await build.run('build', ...args, 'M')).toMatchObject({ status: 0 });
  await build.truth();
}

// The numbers are those of the conformance cases for distro_const: what the original does (K), or its mended outcome (F).
describe.each<StoreKind>(['zfs', 'folder'])('distro_const on a build area of kind %s', (kind) => {
  beforeEach(async () => freshBuild(kind));

  it('C11 C12 builds from nothing, a checkpoint in front of every step', async () => {
    const { status, stderr } = await build.run('build', 'M');
    expect({ status, truth: await build.truth(), trace: await build.trace() }).toEqual({
      status: 0,
      truth: ALL,
      trace: ALL,
    });
    expect(await build.checkpoints()).toEqual(labels(...ALL));
    expect(await build.resumable()).toEqual(ALL);
    expect(stderr).toMatch(
      /==== im-pop: Populate\n==== im-mod: .*\n==== ba-init: Boot archive\n==== iso: Write the ISO\n/,
    );
    expect(stderr).toMatch(/Build is successful\.\n$/);
  });

  it('C13 rebuilds from empty, and leaves media and logs alone', async () => {
    await build.behave('iso', 'echo medium > "$5/kept.iso"');
    await succeed();
    await build.behave('iso', null);
    await succeed();
    expect(await build.trace()).toEqual(ALL);
    expect(await readdir(join(build.areaPath, 'media'))).toEqual(['kept.iso']);
    expect(await readdir(join(build.areaPath, 'logs'))).toHaveLength(4);
  });

  it('C14 C15 C16 lists on stdout, without making anything', async () => {
    const fresh = await build.run('build', '-l', 'M');
    expect(fresh).toMatchObject({ status: 0, stderr: '' });
    expect(fresh.stdout).toMatch(/^\nStep {11}Resumable Description\n-+ -+ -+\nim-pop {19}Populate {2}\n/);
    expect(existsSync(build.areaPath)).toBe(false);
    await build.behave('ba-init', 'exit 3');
    expect((await build.run('build', 'M')).status).toBe(1);
    expect(await build.resumable()).toEqual(['im-pop', 'im-mod', 'ba-init']);
  });

  it('C17 C19 pauses in front of a step, and -R goes on there', async () => {
    const { status, stderr } = await build.run('build', '-p', 'ba-init', 'M');
    expect(status).toBe(0);
    expect(stderr).toMatch(/Stopped before ba-init\. Go on with: distro_const build -R .*\n$/);
    expect(await build.truth()).toEqual(['im-pop', 'im-mod']);
    expect(await build.checkpoints()).toEqual(labels('im-pop', 'im-mod', 'ba-init'));
    expect(await build.run('build', '-R', 'M')).toMatchObject({ status: 0 });
    expect(await build.truth()).toEqual(['ba-init', 'iso']);
    expect(await build.trace()).toEqual(ALL);
    expect(await build.checkpoints()).toEqual(labels(...ALL));
  });

  it('C18 pauses in front of the first step', async () => {
    expect((await build.run('build', '-p', '0', 'M')).status).toBe(0);
    expect({ truth: await build.truth(), checkpoints: await build.checkpoints() }).toEqual({
      truth: [],
      checkpoints: labels('im-pop'),
    });
  });

  it('C20 C21 C22 C23 resumes at the last step, at an earlier one, and pauses again', async () => {
    await succeed();
    expect((await build.run('build', '-R', 'M')).status).toBe(0);
    expect(await build.truth()).toEqual(['iso']);
    expect((await build.run('build', '-r', '1', 'M')).status).toBe(0);
    expect(await build.truth()).toEqual(['im-mod', 'ba-init', 'iso']);
    expect(await build.trace()).toEqual(ALL);
    expect((await build.run('build', '-r', 'im-mod', '-p', 'iso', 'M')).status).toBe(0);
    expect(await build.truth()).toEqual(['im-mod', 'ba-init']);
    expect(await build.resumable()).toEqual(ALL);
    expect((await build.run('build', '-r', 'im-mod', '-p', 'ba-init', 'M')).status).toBe(0);
    await build.truth();
    expect((await build.run('build', '-R', '-p', 'iso', 'M')).status).toBe(0);
    expect(await build.truth()).toEqual(['ba-init']);
  });

  it('C24 refuses to resume where nothing was built, and makes nothing', async () => {
    for (const option of [['-R'], ['-r', 'im-pop'], ['-r', '0']]) {
      const { status, stderr } = await build.run('build', ...option, 'M');
      expect(status).toBe(1);
      expect(stderr).toMatch(/^There is no step to resume from\.\n/);
    }
    expect(existsSync(build.areaPath)).toBe(false);
  });

  it('C25 refuses a step later than the latest, naming those that are not', async () => {
    await succeed('-p', '0');
    const { status, stderr } = await build.run('build', '-r', 'iso', 'M');
    expect(status).toBe(1);
    expect(stderr).toMatch(/specify an earlier step[^]*im-pop +Populate/);
  });

  it.each([
    ['-r', 'nosuch'],
    ['-p', '9'],
    ['-p', '-1'],
  ])('C26 refuses %s %s, naming all steps', async (option, step) => {
    const { status, stderr } = await build.run('build', option, step, 'M');
    expect(status).toBe(1);
    for (const name of ALL) expect(stderr).toContain(name);
  });

  it('C32 wants the pause behind the resumed step, and destroys nothing when it is not', async () => {
    await succeed();
    for (const options of [
      ['-r', 'im-mod', '-p', 'im-mod'],
      ['-r', 'ba-init', '-p', 'im-mod'],
      ['-R', '-p', 'iso'],
    ]) {
      expect((await build.run('build', ...options, 'M')).status).toBe(2);
    }
    expect({ truth: await build.truth(), resumable: await build.resumable() }).toEqual({
      truth: [],
      resumable: ALL,
    });
  });

  it('C33 C34 builds without checkpoints when they are off, and then refuses their options', async () => {
    await build.writeManifest({ checkpoints: 'false' });
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(0);
    expect(stderr).toContain('==== im-mod: ');
    expect({ trace: await build.trace(), checkpoints: await build.checkpoints() }).toEqual({
      trace: ALL,
      checkpoints: [],
    });
    for (const option of [['-l'], ['-R'], ['-r', 'im-mod'], ['-p', 'im-mod']]) {
      const refused = await build.run('build', ...option, 'M');
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain(`Rerun the build without ${option[0] ?? ''}.`);
    }
    await succeed();
    expect(await build.trace()).toEqual(ALL);
  });

  it('C43 C46 stops at a failing step; mended, -R goes on from the state in front of it', async () => {
    await build.behave('ba-init', 'echo dirt >> "$2/trace"; echo oops >&2; exit 3');
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(1);
    expect(stderr).toMatch(/oops\n(.*\n)*ba-init exited with status 3\.\nBuild failed\./);
    expect(await build.truth()).toEqual(['im-pop', 'im-mod', 'ba-init']);
    expect(await build.checkpoints()).toEqual(labels('im-pop', 'im-mod', 'ba-init'));
    await build.behave('ba-init', null);
    await succeed('-R');
    expect(await build.trace()).toEqual(ALL);
  });

  it('C44 goes on behind a failed step when told to, but keeps no checkpoint there', async () => {
    await build.writeManifest({ stopOnError: 'false' });
    await build.behave('ba-init', 'exit 3');
    expect((await build.run('build', 'M')).status).toBe(1);
    expect(await build.truth()).toEqual(ALL);
    expect(await build.resumable()).toEqual(['im-pop', 'im-mod', 'ba-init']);
  });

  it('C45 names the signal that ended a step', async () => {
    await build.behave('ba-init', 'kill -9 $$');
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(1);
    expect(stderr).toContain('ba-init was terminated by signal SIGKILL');
  });

  it('C47 warns when what was built from changed, not when only words did', async () => {
    await succeed();
    await build.writeManifest({
      steps: M.map((step) => (step.name === 'ba-init' ? { ...step, message: 'Other words' } : step)),
    });
    const words = await build.run('build', '-r', 'ba-init', 'M');
    expect(words).toMatchObject({ status: 0 });
    expect(words.stderr).not.toContain('Warning: The checkpoint was made');
    await succeed();
    await build.writeManifest({ parameters: '<hostname>other</hostname>' });
    const content = await build.run('build', '-r', 'ba-init', 'M');
    expect(content.status).toBe(0);
    expect(content.stderr).toMatch(
      /Warning: The checkpoint was made by something else[^]*since these ran: im-pop im-mod/,
    );
  });

  it('refuses or restarts by policy when a script changed', async () => {
    await succeed();
    await writeFile(
      build.scriptOf('im-mod'),
      `${await readFile(build.scriptOf('im-mod'), 'utf8')}# mended\n`,
    );
    const refused = await build.run('build', '-R', '--if-changed', 'refuse', 'M');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('im-mod (script)');
    expect(await build.truth()).toEqual([]);
    expect((await build.run('build', '-R', '--if-changed', 'restart', 'M')).status).toBe(0);
    expect(await build.truth()).toEqual(['im-mod', 'ba-init', 'iso']);
    expect(await build.trace()).toEqual(ALL);
  });

  it('C48 refuses to resume behind steps in another order, and lists no X there', async () => {
    await succeed();
    const [a, b, c, d] = M;
    await build.writeManifest({ steps: [a!, c!, b!, d!] });
    const { status, stderr } = await build.run('build', '-r', '2', 'M');
    expect(status).toBe(1);
    expect(stderr).toContain('inconsistent with the build area');
    expect(await build.resumable()).toEqual(['im-pop']);
  });

  it('C49 lists the steps in front of an inserted one', async () => {
    await succeed();
    const [a, b, c, d] = M;
    await build.writeManifest({ steps: [a!, b!, { name: 'new' }, c!, d!] });
    const { status, stderr } = await build.run('build', '-r', 'ba-init', 'M');
    expect(status).toBe(1);
    expect(stderr).toMatch(/earlier step[^]*im-pop[^]*im-mod/);
  });

  it('C52 C53 C54 C55 takes resume_from as the default of -r', async () => {
    await build.writeManifest({ resumeFrom: 'ba-init' });
    expect((await build.run('build', 'M')).status).toBe(1);
    expect((await build.run('build', '-l', 'M')).status).toBe(0);
    await build.writeManifest();
    await succeed();
    await build.writeManifest({ resumeFrom: 'ba-init' });
    expect((await build.run('build', 'M')).status).toBe(0);
    expect(await build.truth()).toEqual(['ba-init', 'iso']);
    expect((await build.run('build', '-r', 'im-mod', 'M')).status).toBe(0);
    expect(await build.truth()).toEqual(['im-mod', 'ba-init', 'iso']);
    await build.writeManifest({ resumeFrom: '0' });
    expect((await build.run('build', 'M')).status).toBe(0);
    expect(await build.truth()).toEqual(ALL);
    await build.writeManifest({ resumeFrom: '' });
    expect((await build.run('build', 'M')).status).toBe(0);
    expect(await build.truth()).toEqual(ALL);
  });

  it('C61 gives the same script in two steps each its own arguments', async () => {
    const shared = build.scriptOf('im-mod');
    await build.writeManifest({
      steps: [
        { name: 'one', script: shared, args: '"A"' },
        { name: 'im-mod', args: '"B"' },
      ],
    });
    await build.behave('im-mod', 'echo "args ${*:6} of $DC_STEP" >&2');
    const { stderr } = await build.run('build', 'M');
    expect(stderr).toMatch(/args A of one\n==== im-mod: .*\nargs B of im-mod\n/);
  });

  it('C70 C71 hands a script its five folders, its arguments, umask 022 and an empty stdin', async () => {
    await build.behave(
      'im-mod',
      'printf "%s\\n" "$@" > "$5/argv"; umask > "$5/umask"; cat > "$5/stdin"; pwd > "$5/pwd"',
    );
    await succeed();
    const media = join(build.areaPath, 'media');
    const data = join(build.areaPath, 'build_data');
    const argv = (await readFile(join(media, 'argv'), 'utf8')).trimEnd().split('\n');
    expect(argv.slice(1)).toEqual([
      `${data}/pkg_image`,
      `${data}/tmp`,
      `${data}/boot_archive`,
      media,
      'a b',
      'c',
    ]);
    expect(await readFile(join(media, 'umask'), 'utf8')).toBe('0022\n');
    expect(await readFile(join(media, 'stdin'), 'utf8')).toBe('');
    expect(await readFile(join(media, 'pwd'), 'utf8')).toBe(`${build.folder}\n`);
  });

  it('C72 C73 C74 C75 C77 logs both streams to their end, whatever a script does with them', async () => {
    await build.behave('im-pop', 'echo quiet; printf "no newline" >&2');
    await build.behave('im-mod', 'exec 2>&1; echo merged; printf "\\xe9\\n"');
    await build.behave('ba-init', 'exec 2>&-; head -c 300000 /dev/zero | tr "\\0" x; exec >&-');
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(0);
    expect(stderr).toContain('no newline\n');
    expect(stderr).not.toContain('quiet');
    const logs = join(build.areaPath, 'logs');
    const names = (await readdir(logs)).toSorted();
    expect(names).toEqual([
      expect.stringMatching(/^detail-log-[\d-]{19}$/),
      expect.stringMatching(/^simple-log-[\d-]{19}$/),
    ]);
    const detail = await readFile(join(logs, names[0]!));
    expect(detail.toString('latin1')).toMatch(/ im-pop out\| quiet\n/);
    expect(detail.toString('latin1')).toMatch(/ im-mod out\| merged\n.* im-mod out\| \xe9\n/);
    expect(
      detail
        .toString('latin1')
        .match(/x{1000,}/g)
        ?.join(''),
    ).toHaveLength(300_000);
    expect(await readFile(join(logs, names[1]!), 'utf8')).not.toContain('quiet');
  });

  it('C82 C83 answers ManifestRead, but for passwords that the step did not declare', async () => {
    const read = 'ManifestRead "$1"';
    await build.behave(
      'im-mod',
      `{ ${read} name; ${read} img_params/packages/pkg/name; ${read} -r name; ManifestRead -k "$1" iso_sort
      ${read} no/such/path; ${read} 'distro_constr_params/output_image/finalizer/script[checkpoint/name="im-mod"]/argslist'
      ${read} img_params/rootpass || echo "refused with $?"; } > "$5/answers"`,
    );
    const { stderr } = await build.run('build', 'M');
    expect(await readFile(join(build.areaPath, 'media/answers'), 'utf8')).toBe(
      'Acme_Tiny\nbase\nvim\nname Acme_Tiny\n/etc/sort\na b\nc\nrefused with 1\n',
    );
    expect(stderr).toContain('a password; declare it with farm:reads');
  });

  it('W31 grants a password to a step that declares it, and writes it into no log', async () => {
    await build.writeManifest({
      steps: [{ name: 'im-pop', extra: '<farm:reads>img_params/rootpass</farm:reads>' }, ...M.slice(1)],
    });
    await build.behave(
      'im-pop',
      'ManifestRead "$1" img_params/rootpass > "$5/pass"; ManifestRead "$1" name || true',
    );
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(0);
    expect(await readFile(join(build.areaPath, 'media/pass'), 'utf8')).toBe('correct horse\n');
    expect(stderr).toContain('not among its declared reads');
    for (const log of await readdir(join(build.areaPath, 'logs'))) {
      expect(await readFile(join(build.areaPath, 'logs', log), 'utf8')).not.toContain('correct horse');
    }
  });

  it.each<[NodeJS.Signals, number]>([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('C79 C80 on %s ends the step and all it started, says so, and exits with %i', async (signal, status) => {
    const marker = `interrupted-${process.pid}-${signal}`;
    await build.behave(
      'ba-init',
      `mkdir "$3/m"; mount -t tmpfs none "$3/m"; (exec -a ${marker} sleep 1000) & echo up >&2; sleep 1000`,
    );
    const running = build.start(['build', 'M']);
    await until(
      async () => (await build.truthSoFar()).includes('ba-init') && (await processesWith(marker)) > 0,
    );
    running.kill(signal);
    const ended = await running.ended;
    expect(ended.status).toBe(status);
    expect(ended.stderr).toMatch(
      new RegExp(`Build interrupted by ${signal} in ba-init\\. Go on with: .*\\n$`),
    );
    expect(await processesWith(marker)).toBe(0);
    const logs = join(build.areaPath, 'logs');
    const simple = (await readdir(logs)).find((name) => name.startsWith('simple'))!;
    expect(await readFile(join(logs, simple), 'utf8')).toContain(`Build interrupted`);
    await build.behave('ba-init', null);
    await build.truth();
    expect((await build.run('build', '-R', 'M')).status).toBe(0);
    expect(await build.truth()).toEqual(['ba-init', 'iso']);
    expect(await build.trace()).toEqual(ALL);
  });

  it('C81 W4 refuses a second build in the area, naming the first; a killed one blocks nobody', async () => {
    await build.behave('ba-init', 'sleep 1000');
    const running = build.start(['build', 'M']);
    await until(async () => (await build.truthSoFar()).includes('ba-init'));
    const second = await build.run('build', 'M');
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(
      /another build is running in .*: process \d+ on .*"distro_const build .*m\.xml"/,
    );
    expect(await build.resumable()).toEqual(['im-pop', 'im-mod', 'ba-init']);
    running.kill('SIGKILL');
    await running.ended;
    await build.behave('ba-init', null);
    await build.truth();
    expect((await build.run('build', '-R', 'M')).status).toBe(0);
    expect(await build.trace()).toEqual(ALL);
  });

  it('W9 C67 does not touch what it did not make', async () => {
    const data = join(build.areaPath, 'build_data');
    if (kind === 'zfs') await execa('zfs', ['create', '-p', `${build.area}/build_data`]);
    else await mkdir(data, { recursive: true });
    await writeFile(join(data, 'precious'), 'x');
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(1);
    expect(stderr).toContain('build_data');
    expect(await readFile(join(data, 'precious'), 'utf8')).toBe('x');
    expect(await build.truth()).toEqual([]);
  });

  it('W25 starts from exactly three empty folders', async () => {
    await build.behave(
      'im-pop',
      'echo debris > "$3/debris"; find "$(dirname "$2")" -mindepth 1 ! -name debris | sort > "$5/before"',
    );
    await succeed();
    await succeed();
    const before = (await readFile(join(build.areaPath, 'media/before'), 'utf8')).trimEnd().split('\n');
    expect(before.map((path) => path.slice(build.areaPath.length))).toEqual([
      '/build_data/boot_archive',
      '/build_data/pkg_image',
      '/build_data/tmp',
    ]);
  });

  it('W28 stops a step that outgrows the image limit, saying so', async () => {
    await build.writeManifest({
      parameters: '<pkg_image_area_max_size_gb>0.01</pkg_image_area_max_size_gb>',
    });
    await build.behave('im-mod', 'head -c 20000000 /dev/zero > "$2/large"');
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(1);
    expect(stderr).toMatch(/pkg_image holds \d+ MB, and the manifest allows 1[01] MB/);
  });

  it('runs lanes in workspaces of their own, and carries only their outputs', async () => {
    await build.writeManifest({
      steps: [
        { name: 'base' },
        { name: 'side', lane: 'l', outputs: ['pkg_image/from-l'] },
        { name: 'join' },
        { name: 'iso', lane: 'media' },
        { name: 'usb', lane: 'other' },
      ],
    });
    await build.behave('side', 'echo made > "$2/from-l"; echo junk > "$2/junk"');
    await build.behave('join', 'ls "$2" | tr "\\n" " " >&2');
    const { status, stderr } = await build.run('build', 'M');
    expect({ status, stderr }).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('\nfrom-l trace \n') as unknown,
    });
    expect(await build.trace('build_data.l')).toEqual(['base', 'side']);
    expect(await build.trace()).toEqual(['base', 'join']);
    expect(await build.trace('build_data.media')).toEqual(['base', 'join', 'iso']);
    expect(await build.trace('build_data.other')).toEqual(['base', 'join', 'usb']);
    await build.truth();
    for (const [step, ran] of [
      ['usb', ['usb']],
      ['join', ['join', 'iso', 'usb']],
      ['side', ['side', 'join', 'iso', 'usb']],
      ['base', ['base', 'side', 'join', 'iso', 'usb']],
    ] as const) {
      expect(await build.run('build', '-r', step, 'M')).toMatchObject({ status: 0 });
      expect(await build.truth()).toEqual(ran);
      expect(await build.resumable()).toEqual(['base', 'side', 'join', 'iso', 'usb']);
    }
    expect(await build.trace()).toEqual(['base', 'join']);
  });

  it('runs lanes without checkpoints too, and goes on behind a failed step of one', async () => {
    const steps = [
      { name: 'base' },
      { name: 'side', lane: 'l', outputs: ['pkg_image/from-l'] },
      { name: 'join' },
    ];
    await build.behave('side', 'echo made > "$2/from-l"');
    await build.writeManifest({ steps, checkpoints: 'false' });
    for (let twice = 0; twice < 2; twice += 1) {
      expect(await build.run('build', 'M')).toMatchObject({ status: 0 });
      expect(await build.truth()).toEqual(['base', 'side', 'join']);
      expect(await build.trace()).toEqual(['base', 'join']);
    }
    await build.writeManifest({ steps, stopOnError: 'false' });
    await build.behave('side', 'echo made > "$2/from-l"; exit 3');
    expect((await build.run('build', 'M')).status).toBe(1);
    expect(await build.resumable()).toEqual(['base', 'side']);
  });

  it('stops when a lane did not write its output', async () => {
    await build.writeManifest({
      steps: [{ name: 'side', lane: 'l', outputs: ['pkg_image/from-l'] }, { name: 'join' }],
    });
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(1);
    expect(stderr).toContain('no step wrote the declared output "pkg_image/from-l"');
    expect(await build.truth()).toEqual(['side']);
  });

  it('reports as JSON lines on request', async () => {
    const { stdout, stderr } = await build.run('build', '--json', 'M');
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });
    expect(stderr).toBe('');
    expect(events[0]).toMatchObject({ type: 'build-started', distribution: 'Acme_Tiny', steps: 4 });
    expect(events.filter(({ type }) => type === 'checkpoint-taken')).toHaveLength(4);
    expect(events.at(-1)).toMatchObject({ type: 'build-ended', result: 'finished' });
  });
});

describe('distro_const before it touches anything', () => {
  beforeEach(async () => freshBuild('folder'));

  it('C1 wants root', async () => {
    const program = ['bin/distro_const', 'build', build.manifest];
    const { exitCode, stderr } = await execa(
      'setpriv',
      ['--reuid', '65534', '--clear-groups', process.execPath, ...program],
      {
        reject: false,
      },
    );
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringContaining('must be root') as unknown,
    });
    expect(existsSync(build.areaPath)).toBe(false);
  });

  it.each([
    ['C2', [], 2],
    ['C2', ['build'], 2],
    ['C2', ['-h'], 0],
    ['C3', ['bild', 'M'], 2],
    ['C5', ['build', '/nonexistent.xml'], 1],
    ['C5', ['build', '/tmp'], 1],
    ['C27 C28', ['build', '-R', '-r', 'im-pop', 'M'], 2],
    ['C30', ['build', '-l', '-r', 'nosuch', 'M'], 2],
    ['C59', ['build', '-l', 'M', 'other'], 2],
  ] as const)('%s exits as it should for %j', async (_, args, status) => {
    expect((await build.run(...args)).status).toBe(status);
    expect(existsSync(build.areaPath)).toBe(false);
  });

  it('C6 does not care about the suffix', async () => {
    const other = join(build.folder, 'manifest');
    await writeFile(other, await readFile(build.manifest));
    expect((await build.run('build', '-l', other)).status).toBe(0);
  });

  it.each<[string, ManifestOptions, RegExp]>([
    ['C39', { buildArea: 'tank' }, /m\.xml:\d+.*build_area/],
    ['C40', { buildArea: '' }, /build_area/],
    ['C42', { buildArea: 'tank/dc; touch X' }, /build_area/],
    ['C56', { resumeFrom: 'bogus' }, /resume_from/],
    ['C57', { resumeFrom: 'iso', checkpoints: 'false' }, /resume_from/],
    ['C60', { steps: [{ name: 'a' }, { name: 'a' }] }, /"a"/],
    ['C62', { steps: [{ name: '1' }] }, /m\.xml:\d+/],
    ['C63', { steps: [{ name: 'a b' }] }, /m\.xml:\d+/],
    ['C92', { stopOnError: 'TRUE' }, /stop_on_error/],
    ['C97', { name: 'x'.repeat(33) }, /32/],
  ])('%s refuses a manifest, with the line', async (_, options, message) => {
    await build.writeManifest(options);
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(await build.truth()).toEqual([]);
    expect(existsSync('X')).toBe(false);
  });

  it('C9 names every script and tool that is missing', async () => {
    await chmod(build.scriptOf('im-mod'), 0o644);
    const extra = '<farm:requires tools="bash no-such-tool"/>';
    await build.writeManifest({ steps: [...M, { name: 'gone', script: '/nonexistent/script', extra }] });
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /im-mod\.sh is not executable[^]*\/nonexistent\/script does not exist[^]*needs no-such-tool/,
    );
    expect(existsSync(build.areaPath)).toBe(false);
    expect((await build.run('build', '-l', 'M')).status).toBe(0);
  });

  it.each(['1', 'true'])('C90 C91 reads the boolean %s', async (spelling) => {
    await build.writeManifest({ stopOnError: spelling, checkpoints: spelling });
    await build.behave('im-mod', 'exit 1');
    expect((await build.run('build', 'M')).status).toBe(1);
    expect(await build.truth()).toEqual(['im-pop', 'im-mod']);
    expect(await build.resumable()).toEqual(['im-pop', 'im-mod']);
  });

  it('keeps the media folder’s modes whatever the caller’s umask', async () => {
    const { exitCode } = await execa(
      'bash',
      [
        '-c',
        `umask 077; ${process.execPath} bin/distro_const build --cache ${build.folder}/cache ${build.manifest}`,
      ],
      {
        reject: false,
      },
    );
    expect(exitCode).toBe(0);
    expect((await stat(join(build.areaPath, 'build_data/pkg_image/trace'))).mode & 0o777).toBe(0o644);
  });
});

describe('distro_const on ZFS', () => {
  beforeEach(async () => freshBuild('zfs'));

  it('C11 makes the datasets of distro_const', async () => {
    await succeed();
    const { stdout } = await execa('zfs', ['list', '-H', '-r', '-t', 'filesystem', '-o', 'name', build.area]);
    const children = stdout.split('\n').map((name) => name.slice(build.area.length));
    expect(children).toEqual(expect.arrayContaining(['', '/build_data', '/logs', '/media']));
  });

  it('C36 C37 takes the mount point of a dataset, with or without a slash behind it', async () => {
    await execa('zfs', ['create', build.area]);
    for (const buildArea of [build.areaPath, `${build.areaPath}/`]) {
      await build.writeManifest({ buildArea });
      await succeed();
      expect(await build.checkpoints()).toEqual(labels(...ALL));
    }
  });

  it('C38 names a pool that does not exist', async () => {
    await build.writeManifest({ buildArea: 'nosuchpool/dc' });
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(1);
    expect(stderr).toContain('nosuchpool');
    expect((await build.run('build', '-l', 'M')).status).toBe(0);
  });

  it('C50 C51 lists nothing behind a checkpoint that was destroyed', async () => {
    await succeed();
    await execa('zfs', ['destroy', `${build.area}/build_data@.step_im-mod`]);
    expect(await build.resumable()).toEqual(['im-pop']);
    expect((await build.run('build', '-r', 'ba-init', 'M')).status).toBe(1);
  });

  it('C68 refuses to roll back over somebody else’s snapshot', async () => {
    await succeed();
    await execa('zfs', ['snapshot', `${build.area}/build_data@mine`]);
    const { status, stderr } = await build.run('build', '-r', 'im-mod', 'M');
    expect(status).toBe(1);
    expect(stderr).toContain('@mine');
    expect({ truth: await build.truth(), resumable: await build.resumable() }).toEqual({
      truth: [],
      resumable: ALL,
    });
  });

  it('C69 counts only snapshots of its own dataset', async () => {
    await execa('zfs', ['create', '-p', `${build.area}/${build.area}/build_data`]);
    await execa('zfs', ['snapshot', `${build.area}/${build.area}/build_data@.step_im-pop`]);
    await succeed();
    await succeed('-r', 'im-mod');
  });

  it('W1 fails the build when a checkpoint cannot be taken', async () => {
    await build.behave('im-mod', `zfs snapshot ${build.area}/build_data@.step_ba-init`);
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(1);
    expect(stderr).toContain('.step_ba-init');
    expect(stderr).not.toContain('successful');
    expect(await build.truth()).toEqual(['im-pop', 'im-mod']);
  });

  it('W2 W51 runs nothing when the roll back fails, and keeps the later checkpoints', async () => {
    await succeed();
    const holder = execa('sleep', ['1000'], {
      cwd: join(build.areaPath, 'build_data/pkg_image'),
      reject: false,
    });
    await until(() => Promise.resolve(holder.pid !== undefined));
    const { status, stderr } = await build.run('build', '-r', 'im-mod', 'M');
    expect(status).toBe(1);
    expect(stderr).toMatch(new RegExp(`${String(holder.pid)}[^]*sleep`));
    expect({ truth: await build.truth(), resumable: await build.resumable() }).toEqual({
      truth: [],
      resumable: ALL,
    });
    holder.kill('SIGKILL');
    await holder;
    await succeed('-r', 'im-mod');
  });

  it('W28 stops a step that fills the dataset, says what filled it, and loses no checkpoint', async () => {
    await execa('zfs', ['create', build.area]);
    await execa('zfs', ['set', 'quota=200M', build.area]);
    await build.behave('ba-init', 'head -c 1000000000 /dev/urandom > "$2/large"');
    const { status, stderr } = await build.run('build', 'M');
    expect(status).toBe(1);
    expect(stderr).toMatch(/the build area is full: .*pkg_image holds \d+ MB/);
    expect(await build.resumable()).toEqual(['im-pop', 'im-mod', 'ba-init']);
    await build.behave('ba-init', null);
    await succeed('-R');
    expect(await build.trace()).toEqual(ALL);
  });

  it('says so when the pool goes away under a build, and loses no checkpoint', async () => {
    if (existsSync('/dev/zfs')) return; // The kernel's ZFS has no daemon to lose.
    const { stdout, exitCode } = await execa('scripts/with-zfs.sh', ['test/support/lose-daemon.sh'], {
      reject: false,
      all: true,
    });
    expect({ stdout, exitCode }).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(/status 1\n[^]*does not answer[^]*again: 0\nba-init iso $/) as unknown,
    });
  });

  it('W50 releases mounts that were left below the workspace', async () => {
    await succeed();
    const target = join(build.areaPath, 'build_data/tmp');
    await execa('mount', ['-t', 'tmpfs', 'none', target]);
    await succeed('-r', 'im-mod');
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(` ${target} `);
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((later) => setTimeout(later, 20));
}

async function processesWith(marker: string): Promise<number> {
  let found = 0;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (argv.includes(marker) && !argv.includes('bash')) found += 1;
  }
  return found;
}
