import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestBuild, type Run, type StoreKind } from './test-build.js';

/** A step whose work is what it started from, its arguments and what it reads, and nothing else. */
export interface KeyedStep {
  readonly name: string;
  readonly message?: string;
  readonly lane?: string;
  readonly args?: readonly string[];
  /** Nodepaths; `null`: it declares none, and asks for the host's name and the packages all the same. */
  readonly reads: readonly string[] | null;
  /** Files it writes to the media folder, with its work so far in them. */
  readonly media?: readonly string[];
  /** Makes its work a file of the lane's, which main takes over. */
  readonly isOutput?: boolean;
  /** A line in its script. */
  readonly comment?: string;
  readonly fingerprint?: string;
  /** Bash that runs behind all that. */
  readonly also?: string;
}

export interface KeyedManifest {
  readonly steps: readonly KeyedStep[];
  readonly packages?: readonly string[];
  readonly hostname?: string;
  readonly password?: string;
  /** By name, XML of the changes. */
  readonly variants?: Readonly<Record<string, string>>;
  readonly checkpoints?: boolean;
}

export interface PlannedStep {
  readonly name: string;
  readonly fate: 'reused' | 'shared' | 'runs';
  readonly of: string | null;
  readonly why: string;
  readonly usualMs: number | null;
}

const ASKED_UNDECLARED = ['img_params/hostname', 'img_params/packages/pkg/name'];

/** A build area to reuse in, and another one to build the same from nothing in. The steps note in a truth log that they ran, and make bits that depend on all that they may see. */
export class ReuseBuild {
  #written = '';
  /** What builds from nothing have made, by what they were made of. */
  readonly #fromScratch = new Map<string, Readonly<Record<string, string>>>();

  private constructor(
    readonly build: TestBuild,
    private readonly outside: string,
  ) {}

  static async create(kind: StoreKind): Promise<ReuseBuild> {
    return new ReuseBuild(await TestBuild.create(kind), await mkdtemp(join(tmpdir(), 'reuse-build-')));
  }

  async remove(): Promise<void> {
    await this.build.remove();
    await rm(this.outside, { recursive: true, force: true });
  }

  get mediaPath(): string {
    return join(this.build.areaPath, 'media');
  }

  get recordPath(): string {
    return join(this.build.areaPath, '.distro_const.reuse.json');
  }

  async write(manifest: KeyedManifest): Promise<void> {
    const { steps, packages = ['base'], hostname = 'host', password = 'hush', variants = {} } = manifest;
    this.#written = JSON.stringify(manifest);
    for (const step of steps) await this.#writeScript(step);
    const named = Object.entries(variants).map(
      ([name, changes]) => `<farm:variant name="${name}">${changes}</farm:variant>`,
    );
    await writeFile(
      this.build.manifest,
      `<distribution name="Keyed" xmlns:farm="urn:distrofarm:1">
  <distro_constr_params><build_area>${this.build.area}</build_area>
    <distro_constr_flags><checkpoint_enable>${manifest.checkpoints ?? true}</checkpoint_enable></distro_constr_flags>
    <output_image><finalizer>${steps.map((step) => this.#element(step)).join('\n')}</finalizer></output_image>
  </distro_constr_params>
  <img_params>
    <pkg_repo_default_authority><main url="http://pkg.example.test" authname="example.test"/></pkg_repo_default_authority>
    <packages>${packages.map((name) => `<pkg name="${name}"/>`).join('')}</packages>
    <rootpass>${password}</rootpass>
    <boot_archive_contents><base_include type="dir">kernel</base_include></boot_archive_contents>
    <hostname>${hostname}</hostname>
  </img_params>
  ${named.length === 0 ? '' : `<farm:variants>${named.join('')}</farm:variants>`}
</distribution>`,
    );
  }

  /** `distro_const build`, with the image time always the same. */
  async run(...options: readonly string[]): Promise<Run & { readonly ran: readonly string[] }> {
    await rm(this.#truth, { force: true });
    const run = await this.build.start(['build', ...options, 'M'], { SOURCE_DATE_EPOCH: '7' }).ended;
    return { ...run, ran: await this.#ran() };
  }

  /** By variant, what `distro_const plan` says; it fails the test when that runs a step. */
  async plan(...variants: readonly string[]): Promise<readonly (readonly PlannedStep[])[]> {
    await rm(this.#truth, { force: true });
    const options = variants.flatMap((name) => ['--variant', name]);
    const { stdout, stderr, status } = await this.#plan('--json', ...options);
    const ran = await this.#ran();
    if (status !== 0 || ran.length > 0)
      throw new Error(`plan exited with ${String(status)}, ran ${ran.join(' ')}: ${stderr}`);
    const planned = JSON.parse(stdout) as { variants: { steps: PlannedStep[] }[] };
    return planned.variants.map(({ steps }) => steps);
  }

  async planText(...options: readonly string[]): Promise<Run> {
    return await this.#plan(...options);
  }

  /** Digests of all that the build left: media, and work by workspace. */
  async bits(): Promise<Readonly<Record<string, string>>> {
    return await bitsOf(this.build.areaPath);
  }

  /** The same of a build from nothing, in an area of its own; there is one for each manifest. */
  async bitsFromScratch(...options: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const of = [this.#written, ...options].join('\n');
    const known = this.#fromScratch.get(of);
    if (known !== undefined) return known;
    const area = await mkdtemp(join(this.outside, 'scratch-'));
    const { status, stderr } = await this.run(...options, '--build-area', area);
    if (status !== 0) throw new Error(`the build from nothing failed: ${stderr}`);
    const bits = await bitsOf(area);
    await rm(area, { recursive: true });
    this.#fromScratch.set(of, bits);
    return bits;
  }

  get #truth(): string {
    return join(this.outside, 'truth');
  }

  async #ran(): Promise<readonly string[]> {
    const text = await readFile(this.#truth, 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }

  async #plan(...options: readonly string[]): Promise<Run> {
    const cache = ['--cache', join(this.build.folder, 'cache')];
    return await this.build.start(['plan', ...options, ...cache, 'M'], { SOURCE_DATE_EPOCH: '7' }).ended;
  }

  #element({
    name,
    message = name,
    lane = 'main',
    args = [],
    reads,
    isOutput,
    fingerprint,
  }: KeyedStep): string {
    return [
      `<script name="${this.build.scriptOf(name)}" farm:lane="${lane}"><checkpoint name="${name}" message="${message}"/>`,
      ...args.map((arg) => `<farm:arg>${arg}</farm:arg>`),
      isOutput === true ? `<farm:output path="pkg_image/lane-${name}"/>` : '',
      reads === null ? '' : `<farm:reads>${reads.join(' ')}</farm:reads>`,
      fingerprint === undefined ? '' : `<farm:fingerprint>${fingerprint}</farm:fingerprint>`,
      '</script>',
    ].join('');
  }

  async #writeScript({
    name,
    reads,
    media = [],
    isOutput,
    comment = '',
    also = '',
  }: KeyedStep): Promise<void> {
    const asked = reads ?? ASKED_UNDECLARED;
    const path = this.build.scriptOf(name);
    await writeFile(
      path,
      `#!/bin/bash
# ${comment}
set -euo pipefail
echo '${name}' >> '${this.#truth}'
work="$2/work"
{
  cat "$work" "$2"/lane-* 2>/dev/null || true
  echo "$SOURCE_DATE_EPOCH" "\${@:6}" "$(md5sum < "$0")"
  ${asked.map((path_) => `ManifestRead "$1" '${path_}' || true`).join('\n  ')}
} | sha256sum > "$work.new"
mv "$work.new" "$work"
${isOutput === true ? `cp "$work" "$2/lane-${name}"` : ''}
${media.map((file) => `cp "$work" "$5/${file}"`).join('\n')}
${also}
`,
    );
    await chmod(path, 0o755);
  }
}

async function bitsOf(area: string): Promise<Readonly<Record<string, string>>> {
  const bits: Record<string, string> = {};
  for (const name of (await readdir(area)).toSorted()) {
    if (name !== 'media' && !name.startsWith('build_data')) continue;
    const folder = join(area, name);
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      bits[path.slice(area.length + 1)] = createHash('md5')
        .update(await readFile(path))
        .digest('hex');
    }
  }
  return bits;
}
