import { newId, type Assignment, type AttemptId } from '#libs/contracts';
import { applyVariant, parseManifest } from '#libs/manifest';
import { planBuild, type Plan } from '#libs/plan';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ScriptedCoordinator, sha256Of } from './scripted-coordinator.js';

const PROGRAM = resolve(
  process.env['DISTROFARM_BUILT'] ?? resolve(import.meta.dirname, '../..'),
  'bin/distrofarm-agent',
);
const BUILD = newId('b');

export interface FarmStep {
  readonly name: string;
  readonly lane?: string;
  readonly outputs?: readonly string[];
  /** Room that must be free, as the manifest has it. */
  readonly free?: string;
  /** Bash of the step. `$GATES` is a folder that no roll back reaches. */
  readonly body?: string;
}

/** An agent's process with a folder of its own, and the coordinator that a test plays for it. */
export class TestAgent {
  readonly coordinator = new ScriptedCoordinator();
  output = '';
  #child: ChildProcess | null = null;

  private constructor(
    readonly folder: string,
    /** As DISTROFARM_AGENT_STORE has it. */
    readonly store: string,
  ) {}

  /** @param dataset its store; default: a folder */
  static async create(dataset?: string): Promise<TestAgent> {
    const folder = await mkdtemp(join(tmpdir(), 'test-agent-'));
    const agent = new TestAgent(folder, dataset ?? join(folder, 'store'));
    await mkdir(join(agent.folder, 'gates'));
    await agent.coordinator.up();
    const { key, url } = agent.coordinator;
    const identity = { agent: newId('a'), name: 'agent', key, coordinator: url, ca: null };
    await mkdir(join(agent.folder, 'state'), { mode: 0o700 });
    await writeFile(join(agent.folder, 'state/identity.json'), JSON.stringify(identity), { mode: 0o600 });
    return agent;
  }

  /** What another process with the same folders says when it ends. */
  static async secondOf(agent: TestAgent): Promise<string> {
    const child = spawn(PROGRAM, [], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], DISTROFARM_AGENT_STATE: join(agent.folder, 'state') },
    });
    const chunks: Buffer[] = [];
    for await (const chunk of child.stderr) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  }

  async start(slots = 1): Promise<void> {
    const known = this.coordinator.hellos.length;
    const child = spawn(PROGRAM, ['run'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        // The scripted coordinator makes nobody out to be anybody.
        DISTROFARM_AGENT_PEER_LISTEN: 'off',
        DISTROFARM_AGENT_STATE: join(this.folder, 'state'),
        DISTROFARM_AGENT_STORE: this.store,
        DISTROFARM_AGENT_CACHE: join(this.folder, 'cache'),
        DISTROFARM_AGENT_SLOTS: String(slots),
      },
    });
    child.stderr.on('data', (bytes: Buffer) => (this.output += bytes.toString()));
    this.#child = child;
    const died = once(child, 'exit').then(() => this.coordinator.hellos.length > known);
    const met = this.coordinator.until(() => this.coordinator.hellos.length > known).then(() => true);
    if (!(await Promise.race([met, died]))) throw new Error(`the agent did not start: ${this.output}`);
  }

  /** Resolves to its exit status, or the signal that ended it. */
  async stop(signal: NodeJS.Signals): Promise<number | string | null> {
    const child = this.#child;
    if (child === null) return null;
    this.#child = null;
    if (endOf(child) !== null) return endOf(child);
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
    return endOf(child);
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    await this.coordinator.down();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The assignment of a job of a manifest with these steps, its files known to the coordinator. */
  assignment(steps: readonly FarmStep[], change: Partial<Assignment> = {}): Assignment {
    const manifest = manifestOf(steps);
    const files = steps.map((step) => {
      const script = Buffer.from(
        `#!/bin/bash\nGATES=${this.folder}/gates\n${step.body ?? ''}\necho ${step.name} >> "$2/trace"\n`,
      );
      this.coordinator.blobs.set(sha256Of(script), script);
      const path = `steps/${step.name}.sh`;
      return { path, executable: true, sha256: sha256Of(script), bytes: script.length };
    });
    const jobIndex = change.jobIndex ?? 0;
    return {
      attempt: newId('t'),
      epoch: 1,
      token: `dft_${newId('t')}`,
      waitedMs: 0,
      build: BUILD,
      job: newId('j'),
      variant: 'default',
      jobIndex,
      area: `${BUILD}.default`,
      lineage: `${BUILD}/default/${jobIndex}/g1`,
      manifest,
      manifestPath: 'm.xml',
      files,
      sourceDateEpoch: 1_700_000_000,
      planContentSha256: planOf(manifest).digests.content,
      ancestry: [],
      pauseBefore: null,
      imports: [],
      elsewhere: [],
      base: null,
      publishEnd: false,
      ...change,
    };
  }

  /** Another attempt at the job. */
  again(assignment: Assignment, change: Partial<Assignment> = {}): Assignment {
    return {
      ...assignment,
      attempt: newId('t'),
      epoch: assignment.epoch + 1,
      token: `dft_${newId('t')}`,
      ...change,
    };
  }

  /** Names of the steps that the coordinator heard started, in order. */
  started(attempt: AttemptId, steps: readonly FarmStep[]): readonly string[] {
    return this.coordinator.events(attempt, 'step-started').map(({ step }) => steps[step]?.name ?? '');
  }

  async gate(name: string): Promise<void> {
    while (!existsSync(join(this.folder, 'gates', name))) await sleep(10);
  }

  async open(name: string): Promise<void> {
    await writeFile(join(this.folder, 'gates', name), '');
  }

  async trace(workspace = 'build_data'): Promise<string> {
    const path = join(this.folder, 'store', `${BUILD}.default`, workspace, 'pkg_image/trace');
    return (await readFile(path, 'utf8')).trim().replaceAll('\n', ' ');
  }

  async spooled(): Promise<readonly string[]> {
    return await readdir(join(this.folder, 'state/spool'));
  }
}

function endOf(child: ChildProcess): number | string | null {
  return child.exitCode ?? child.signalCode;
}

/** Says that it runs, and waits until the gate is opened. */
export const waitFor = (gate: string): string =>
  `touch $GATES/${gate}-waits; while [ ! -e $GATES/${gate} ]; do sleep 0.02; done`;

export function planOf(manifest: string): Plan {
  const parsed = parseManifest(manifest, { file: 'm.xml', now: new Date() });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const [variant] = parsed.manifest.variants;
  const resolved = variant === undefined ? parsed.manifest : applyVariant(parsed.manifest, variant);
  const sources = resolved.steps.map(({ script }) => ({ path: `/${script}`, digest: '', reads: null, environment: [] }));
  return planBuild(resolved, manifest, sources);
}

function manifestOf(steps: readonly FarmStep[]): string {
  const scripts = steps.map(({ name, lane, outputs = [], free }) => {
    const attribute = lane === undefined ? '' : ` farm:lane="${lane}"`;
    const declared = [
      ...outputs.map((path) => `<farm:output path="${path}"/>`),
      free === undefined ? '' : `<farm:requires free="${free}"/>`,
    ].join('');
    return `<script name="steps/${name}.sh"${attribute}><checkpoint name="${name}" message="Step ${name}"/>${declared}</script>`;
  });
  return `<?xml version="1.0"?>
<distribution name="Tiny" xmlns:farm="urn:distrofarm:1">
  <distro_constr_params>
    <build_area>tank/dc</build_area>
    <distro_constr_flags>
      <stop_on_error>true</stop_on_error>
      <checkpoint_enable>true</checkpoint_enable>
    </distro_constr_flags>
    <output_image><finalizer>${scripts.join('\n')}</finalizer></output_image>
  </distro_constr_params>
  <img_params>
    <pkg_repo_default_authority><main url="http://pkg.example.test" authname="example.test"/></pkg_repo_default_authority>
    <packages><pkg name="base"/></packages>
    <rootpass is_plaintext="true">correct horse</rootpass>
    <boot_archive_contents><base_include type="dir">kernel</base_include></boot_archive_contents>
  </img_params>
</distribution>
`;
}
