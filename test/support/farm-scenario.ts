import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SubmitBuild } from '#libs/contracts';

export interface ScenarioStep {
  readonly name: string;
  /** Default: `Step <name>`. */
  readonly message?: string;
  readonly lane?: string;
  readonly outputs?: readonly string[];
  /** Room that must be free, as the manifest has it. */
  readonly free?: string;
  /** Bash of the step. `hold GATE` waits until the test opens the gate; `$S` is the scenario's folder. */
  readonly body?: string;
  /** Nodepaths; left out: it declares nothing. */
  readonly reads?: string;
  /** Command line of its `farm:fingerprint`. */
  readonly fingerprint?: string;
}

export interface ScenarioOptions {
  readonly name?: string;
  /** `<farm:variants>`, as it stands in the manifest. */
  readonly variants?: string;
  /** Of each step, instead of the one that notes its begin and its end. */
  readonly script?: (step: ScenarioStep) => string;
  /** Executables beside the steps' scripts, by path. */
  readonly files?: Readonly<Record<string, string>>;
}

const MANIFEST = 'scenario.xml';

/**
 * A manifest of small scripts. Each notes its begin and its end in a truth file that belongs to no store, so that it shows what really ran, whatever the
 * farm believes.
 */
export class Scenario {
  readonly manifest: string;
  readonly #scripts: ReadonlyMap<string, string>;

  constructor(
    readonly folder: string,
    readonly steps: readonly ScenarioStep[],
    options: ScenarioOptions = {},
  ) {
    this.manifest = manifestOf(steps, options);
    const { script = (step: ScenarioStep) => scriptOf(folder, step), files = {} } = options;
    this.#scripts = new Map([
      ...steps.map((step) => [`steps/${step.name}.sh`, script(step)] as const),
      ...Object.entries(files),
    ]);
  }

  get submission(): SubmitBuild {
    const files = [...this.#scripts].map(([path, text]) => ({
      path,
      executable: true,
      base64: Buffer.from(text).toString('base64'),
    }));
    return {
      manifest: this.manifest,
      manifestPath: MANIFEST,
      files,
      sourceDateEpoch: 1_700_000_000,
      reuse: false,
    };
  }

  /** Puts manifest and scripts on disk, where commands find them. Resolves to the manifest's path. */
  async write(): Promise<string> {
    for (const [path, text] of this.#scripts) {
      const target = join(this.folder, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, text);
      await chmod(target, 0o755);
    }
    await writeFile(join(this.folder, MANIFEST), this.manifest);
    return join(this.folder, MANIFEST);
  }

  /** `<step> begin` and `<step> end`, in the order in which they happened. */
  async truth(): Promise<readonly string[]> {
    const text = await readFile(join(this.folder, 'truth'), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }

  /** Names of steps that began, in order. */
  async began(): Promise<readonly string[]> {
    return (await this.truth()).filter((line) => line.endsWith(' begin')).map(stepOf);
  }

  /** Names of steps that came to their end, in order. */
  async finished(): Promise<readonly string[]> {
    return (await this.truth()).filter((line) => line.endsWith(' end')).map(stepOf);
  }

  async forget(): Promise<void> {
    await rm(join(this.folder, 'truth'), { force: true });
  }

  /** Resolves when a step waits at the gate. */
  async reached(gate: string): Promise<void> {
    while (!existsSync(join(this.folder, `${gate}.waits`))) await sleep(10);
  }

  async open(...gates: readonly string[]): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    for (const gate of gates) await writeFile(join(this.folder, gate), '');
  }

  async shut(...gates: readonly string[]): Promise<void> {
    for (const gate of gates) {
      await rm(join(this.folder, gate), { force: true });
      await rm(join(this.folder, `${gate}.waits`), { force: true });
    }
  }
}

function stepOf(line: string): string {
  return line.split(' ')[0] ?? '';
}

function scriptOf(folder: string, { name, body = '', reads }: ScenarioStep): string {
  const header = reads === undefined ? '' : `# farm:reads: ${reads}\n`;
  return `#!/bin/bash
${header}set -eu
S='${folder}'
hold() { touch "$S/$1.waits"; until [ -e "$S/$1" ]; do sleep 0.03; done; }
echo '${name} begin' >> "$S/truth"
${body}
echo '${name}' >> "$2/trace"
echo '${name} end' >> "$S/truth"
`;
}

function manifestOf(
  steps: readonly ScenarioStep[],
  { name = 'Tiny', variants = '' }: ScenarioOptions,
): string {
  const scripts = steps.map(({ name: step, message = `Step ${step}`, lane, outputs = [], free, fingerprint }) => {
    const attribute = lane === undefined ? '' : ` farm:lane="${lane}"`;
    const declared = [
      ...outputs.map((path) => `<farm:output path="${path}"/>`),
      free === undefined ? '' : `<farm:requires free="${free}"/>`,
      fingerprint === undefined ? '' : `<farm:fingerprint>${fingerprint}</farm:fingerprint>`,
    ].join('');
    return `<script name="steps/${step}.sh"${attribute}><checkpoint name="${step}" message="${message}"/>${declared}</script>`;
  });
  return `<?xml version="1.0"?>
<distribution name="${name}" xmlns:farm="urn:distrofarm:1">
  <distro_constr_params>
    <build_area>tank/dc</build_area>
    <distro_constr_flags>
      <stop_on_error>true</stop_on_error>
      <checkpoint_enable>true</checkpoint_enable>
    </distro_constr_flags>
    <output_image><finalizer>
      ${scripts.join('\n      ')}
    </finalizer></output_image>
  </distro_constr_params>
  <img_params>
    <pkg_repo_default_authority><main url="http://pkg.example.test" authname="example.test"/></pkg_repo_default_authority>
    <packages><pkg name="base"/></packages>
    <rootpass is_plaintext="true">correct horse</rootpass>
    <boot_archive_contents><base_include type="dir">kernel</base_include></boot_archive_contents>
  </img_params>
  ${variants}
</distribution>
`;
}
