import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const DISTRO_CONST = resolve(import.meta.dirname, '../../bin/distro_const');

export type StoreKind = 'zfs' | 'folder';

export interface TestStep {
  readonly name: string;
  readonly message?: string;
  /** The `<argslist>` as written in the manifest. */
  readonly args?: string;
  readonly lane?: string;
  readonly outputs?: readonly string[];
  /** XML put into `<script>` as it is, and attributes of it. */
  readonly extra?: string;
  readonly attributes?: string;
  /** Script to run; default: one of its own. */
  readonly script?: string;
}

/** Manifest M of the reference's conformance cases. */
export const M: readonly TestStep[] = [
  { name: 'im-pop', message: 'Populate' },
  { name: 'im-mod', args: '"a b" "c"' },
  { name: 'ba-init', message: 'Boot archive' },
  { name: 'iso', message: 'Write the ISO' },
];

export interface ManifestOptions {
  readonly steps?: readonly TestStep[];
  readonly stopOnError?: string;
  readonly checkpoints?: string;
  readonly resumeFrom?: string;
  readonly buildArea?: string;
  readonly name?: string;
  readonly parameters?: string;
}

export interface Run {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A build area and a manifest of small scripts to try distro_const on. Each script notes its run in a truth log that no roll back reaches, and adds a line to
 * `pkg_image/trace`, which is rolled back with the workspace.
 */
export class TestBuild {
  readonly manifest: string;
  private readonly truthLog: string;

  private constructor(
    readonly kind: StoreKind,
    readonly folder: string,
    /** As a manifest names it. */
    readonly area: string,
    /** Where it is in the file system. */
    readonly areaPath: string,
  ) {
    this.manifest = join(folder, 'm.xml');
    this.truthLog = join(folder, 'truth');
  }

  static async create(kind: StoreKind): Promise<TestBuild> {
    const folder = await mkdtemp(join(tmpdir(), 'test-build-'));
    const name = folder.split('-').at(-1) ?? '';
    const build =
      kind === 'zfs'
        ? new TestBuild(kind, folder, `${testPool()}/${name}`, join(await mountPointOfPool(), name))
        : new TestBuild(kind, folder, join(folder, 'dc'), join(folder, 'dc'));
    await build.writeManifest();
    return build;
  }

  async remove(): Promise<void> {
    if (this.kind === 'zfs') await destroyDataset(this.area);
    await rm(this.folder, { recursive: true, force: true });
  }

  async writeManifest(options: ManifestOptions = {}): Promise<void> {
    const { steps = M, resumeFrom } = options;
    for (const step of steps) await this.#writeScript(step.name);
    const resume = resumeFrom === undefined ? '' : ` resume_from="${resumeFrom}"`;
    await writeFile(
      this.manifest,
      `<?xml version="1.0"?>
<distribution name="${options.name ?? 'Acme_Tiny'}" xmlns:farm="urn:distrofarm:1">
  <distro_constr_params>
    <build_area>${options.buildArea ?? this.area}</build_area>
    <distro_constr_flags>
      <stop_on_error>${options.stopOnError ?? 'true'}</stop_on_error>
      <checkpoint_enable${resume}>${options.checkpoints ?? 'true'}</checkpoint_enable>
    </distro_constr_flags>
    <output_image><finalizer>
${steps.map((step) => this.#scriptElement(step)).join('\n')}
    </finalizer></output_image>
  </distro_constr_params>
  <img_params>
    <pkg_repo_default_authority><main url="http://pkg.example.test" authname="example.test"/></pkg_repo_default_authority>
    <packages><pkg name="base"/><pkg name="vim"/></packages>
    <rootpass is_plaintext="true">correct horse</rootpass>
    <boot_archive_contents><base_include type="dir">kernel</base_include></boot_archive_contents>
    ${options.parameters ?? ''}
  </img_params>
  <key_value_pairs><pair key="iso_sort" value="/etc/sort"/></key_value_pairs>
</distribution>
`,
    );
  }

  scriptOf(step: string): string {
    return join(this.folder, `${step}.sh`);
  }

  /** Bash that the step's script runs in addition; `null` takes it away. */
  async behave(step: string, body: string | null): Promise<void> {
    const path = join(this.folder, `${step}.behaviour`);
    if (body === null) await rm(path, { force: true });
    else await writeFile(path, body);
  }

  /** Runs distro_const; `M` among the arguments stands for the manifest. */
  async run(...args: readonly string[]): Promise<Run> {
    return await this.start(args).ended;
  }

  /** Runs distro_const without waiting for it. */
  start(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): { readonly pid: number; readonly ended: Promise<Run>; readonly kill: (signal: NodeJS.Signals) => void } {
    const named = args.map((arg) => (arg === 'M' ? this.manifest : arg));
    const cache = named[0] === 'build' ? ['--cache', join(this.folder, 'cache')] : [];
    const child = execa(DISTRO_CONST, [...named, ...cache], {
      reject: false,
      stdin: 'ignore',
      stripFinalNewline: false,
      cwd: this.folder,
      env: environment,
    });
    const ended = child.then(({ exitCode, stdout, stderr }) => ({ status: exitCode, stdout, stderr }));
    return { pid: child.pid ?? 0, ended, kill: (signal) => void child.kill(signal) };
  }

  /** Steps in the order in which they ran, since the last call. */
  async truth(): Promise<readonly string[]> {
    const lines = await readFile(this.truthLog, 'utf8').catch(() => '');
    await rm(this.truthLog, { force: true });
    return lines.split('\n').filter((line) => line !== '');
  }

  /** As `truth`, without forgetting. */
  async truthSoFar(): Promise<string> {
    return await readFile(this.truthLog, 'utf8').catch(() => '');
  }

  /** Steps whose work is in the workspace now. */
  async trace(workspace = 'build_data'): Promise<readonly string[]> {
    const path = join(this.areaPath, workspace, 'pkg_image/trace');
    return (await readFile(path, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  }

  /** Labels of the checkpoints of a workspace, by name. */
  async checkpoints(workspace = 'build_data'): Promise<readonly string[]> {
    if (this.kind === 'folder') {
      const folder = join(this.areaPath, '.checkpoints', workspace);
      const names = existsSync(folder) ? await readdir(folder) : [];
      return names.filter((name) => /^\.(step|end)_/.test(name)).toSorted();
    }
    const dataset = `${this.area}/${workspace}`;
    const { stdout } = await execa(
      'zfs',
      ['list', '-H', '-d', '1', '-t', 'snapshot', '-o', 'name', dataset],
      { reject: false },
    );
    const names = stdout.split('\n').map((line) => line.split('@')[1] ?? '');
    return names.filter((name) => /^\.(step|end)_/.test(name)).toSorted();
  }

  /** The steps that `-l` marks. */
  async resumable(): Promise<readonly string[]> {
    const { stdout } = await this.run('build', '-l', 'M');
    return stdout
      .split('\n')
      .filter((line) => line.slice(15, 25).trim() === 'X')
      .map((line) => line.slice(0, 15).trim());
  }

  #scriptElement({
    name,
    message,
    args,
    lane,
    outputs = [],
    extra = '',
    attributes = '',
    script,
  }: TestStep): string {
    const laneAttribute = lane === undefined ? '' : ` farm:lane="${lane}"`;
    const messageAttribute = message === undefined ? '' : ` message="${message}"`;
    return [
      `      <script name="${script ?? this.scriptOf(name)}"${laneAttribute} ${attributes}>`,
      `<checkpoint name="${name}"${messageAttribute}/>`,
      args === undefined ? '' : `<argslist>${args}</argslist>`,
      ...outputs.map((path) => `<farm:output path="${path}"/>`),
      `${extra}</script>`,
    ].join('');
  }

  async #writeScript(step: string): Promise<void> {
    const path = this.scriptOf(step);
    if (existsSync(path)) return;
    const body = `#!/bin/bash
set -euo pipefail
echo '${step}' >> '${this.truthLog}'
behaviour='${join(this.folder, `${step}.behaviour`)}'
if [ -e "$behaviour" ]; then . "$behaviour"; fi
echo '${step}' >> "$2/trace"
`;
    await writeFile(path, body);
    await chmod(path, 0o755);
  }
}

/** Set by scripts/with-zfs.sh. A missing pool fails the test: it never skips. */
export function testPool(): string {
  const pool = process.env['DC_TEST_POOL'];
  if (pool === undefined || pool === '')
    throw new Error('DC_TEST_POOL is not set: run through scripts/with-zfs.sh');
  return pool;
}

async function mountPointOfPool(): Promise<string> {
  return (await execa('zfs', ['get', '-Hp', '-o', 'value', 'mountpoint', testPool()])).stdout;
}

/** zfs-fuse lets go of an unmounted dataset a little later: "busy" is to be asked again. */
export async function destroyDataset(dataset: string): Promise<void> {
  for (let attempt = 0; attempt < 60; attempt += 1) {
    const { exitCode, stderr } = await execa('zfs', ['destroy', '-R', dataset], { reject: false });
    if (exitCode === 0 || /does not exist/.test(stderr)) return;
    await new Promise((later) => setTimeout(later, 50));
  }
  throw new Error(`dataset ${dataset} could not be destroyed`);
}
