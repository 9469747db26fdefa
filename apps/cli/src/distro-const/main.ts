import { BuildAreaError, BuildAreaLockedError, findBuildArea } from '#libs/build-area';
import { SnapshotStoreError } from '#libs/engine';
import { findStep, type StartRequest } from '#libs/plan';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseCommandLine, USAGE, type BuildCommandLine, type PlanCommandLine } from './command-line.js';
import { EXIT, Interruption, type ExitStatus } from './exit-status.js';
import { JsonProgress } from './json-progress.js';
import { LineProgress } from './line-progress.js';
import { loadBuild, type LoadedBuild } from './load-build.js';
import type { Progress } from './progress.js';
import { resumableState } from './resumable-state.js';
import { stepTable } from './step-table.js';
import { TerminalProgress } from './terminal-progress.js';
import { describeBreak, describeUnknownStep } from './wording.js';

const INSTALL_ROOT = installRoot(import.meta.dirname);
const BIN_FOLDER = join(INSTALL_ROOT, 'bin');

/** `distro_const`: builds an image on this machine. Resolves to the exit status. */
export async function main(args: readonly string[]): Promise<ExitStatus> {
  const command = parseCommandLine(args);
  if (command.kind === 'help') return print(USAGE, EXIT.ok);
  if (command.kind === 'version') return print(`${await version()}\n`, EXIT.ok);
  if (process.getuid?.() !== 0)
    return complain('You must be root to run distro_const; try sudo.', EXIT.failed);
  if (command.kind === 'usage-error')
    return complain(`distro_const: ${command.message}\n${USAGE}`, EXIT.usage);
  // Whoever starts the build, the image gets the same modes.
  process.umask(0o022);
  try {
    return await run(command);
  } catch (error) {
    if (!isExpected(error)) throw error;
    const hint = 'hint' in error && error.hint !== null ? `\n${error.hint}` : '';
    return complain(`distro_const: ${error.message}.${hint}`, EXIT.failed);
  }
}

async function run(command: BuildCommandLine | PlanCommandLine): Promise<ExitStatus> {
  if (command.kind === 'plan') {
    const { planCommand } = await import('./plan-command.js');
    return await planCommand({ command, binFolder: BIN_FOLDER, print, complain, signal: interruptible() });
  }
  const { manifest, variant, reuse } = command;
  const result = await loadBuild(manifest, variant, new Date(), { everyEnd: reuse });
  if (!result.ok) return complain(result.message, EXIT.failed);
  const { loaded } = result;
  const withoutCheckpoints = loaded.manifest.checkpointing ? null : checkpointOption(command);
  if (withoutCheckpoints !== null) {
    return complain(
      `Checkpointing is not available: checkpoint_enable is false in ${command.manifest}.\nRerun the build without ${withoutCheckpoints}.`,
      EXIT.failed,
    );
  }
  return command.list ? await list(command, loaded) : await build(command, loaded);
}

function checkpointOption(command: BuildCommandLine): string | null {
  if (command.reuse) return '--reuse';
  if (command.list) return '-l';
  if (command.resumeLatest) return '-R';
  if (command.resumeAt !== null) return '-r';
  return command.pauseBefore === null ? null : '-p';
}

/** Reads only: neither the build area nor anything else is made or locked. */
async function list(
  command: BuildCommandLine,
  { manifest, plan, hostProblems }: LoadedBuild,
): Promise<ExitStatus> {
  const found = await findBuildArea(command.buildArea ?? manifest.buildArea);
  const state = await resumableState(plan, found);
  const why = describeBreak(state.brokenBy);
  for (const note of [...hostProblems, ...(why === '' ? [] : [why])]) complain(`note: ${note}`, EXIT.ok);
  if (!command.json) return print(stepTable(plan, state), EXIT.ok);
  const held = new Set(state.held.map(({ boundary }) => boundary.before?.index));
  const rows = plan.steps.map(({ index, name, message, lane }) => ({
    index,
    name,
    message,
    lane,
    resumable: held.has(index),
  }));
  return print(rows.map((row) => `${JSON.stringify(row)}\n`).join(''), EXIT.ok);
}

async function build(command: BuildCommandLine, loaded: LoadedBuild): Promise<ExitStatus> {
  if (loaded.hostProblems.length > 0) return complain(loaded.hostProblems.join('\n'), EXIT.failed);
  const start = startRequest(command, loaded);
  if (typeof start === 'string') return complain(start, EXIT.failed);
  const { pauseBefore, resume } = start;
  if (pauseBefore !== null && resume.kind === 'step' && pauseBefore.index <= resume.step.index) {
    return complain(
      `distro_const: the resume step (${resume.step.name}) must be earlier than the pause step (${pauseBefore.name})\n${USAGE}`,
      EXIT.usage,
    );
  }
  // What only a build needs takes a third of a listing's time to load.
  const { buildCommand } = await import('./build-command.js');
  return await buildCommand({
    command,
    loaded,
    found: await findBuildArea(command.buildArea ?? loaded.manifest.buildArea),
    start,
    progress: progressFor(command),
    complain: (text) => void complain(text, EXIT.failed),
    binFolder: BIN_FOLDER,
    signal: interruptible(),
  });
}

/** A string says which step does not exist. */
function startRequest(command: BuildCommandLine, { manifest, plan }: LoadedBuild): StartRequest | string {
  const at = command.resumeAt ?? (command.resumeLatest ? null : manifest.resumeFrom);
  const resumeStep = at === null ? null : findStep(plan, at);
  if (at !== null && resumeStep === null) {
    return describeUnknownStep(command.resumeAt === null ? 'resume_from' : '-r', at, plan);
  }
  const pauseBefore = command.pauseBefore === null ? null : findStep(plan, command.pauseBefore);
  if (command.pauseBefore !== null && pauseBefore === null)
    return describeUnknownStep('-p', command.pauseBefore, plan);
  const { ifChanged } = command;
  if (resumeStep !== null) return { resume: { kind: 'step', step: resumeStep }, pauseBefore, ifChanged };
  return { resume: { kind: command.resumeLatest ? 'latest' : 'none' }, pauseBefore, ifChanged };
}

function progressFor(command: BuildCommandLine): Progress {
  if (command.json) return new JsonProgress((text) => process.stdout.write(text));
  if (process.stderr.isTTY) return new TerminalProgress(process.stderr);
  return new LineProgress((text) => process.stderr.write(text));
}

/** Aborted by the first SIGINT, SIGTERM or SIGHUP. A second one ends us at once; the kernel then ends the step with us. */
function interruptible(): AbortSignal {
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (abort.signal.aborted) process.exit(EXIT.interruptedBy(abort.signal.reason));
      abort.abort(new Interruption(signal));
    });
  }
  return abort.signal;
}

type ExpectedError = SnapshotStoreError | BuildAreaLockedError | BuildAreaError;

function isExpected(error: unknown): error is ExpectedError {
  return (
    error instanceof SnapshotStoreError ||
    error instanceof BuildAreaLockedError ||
    error instanceof BuildAreaError
  );
}

function print(text: string, status: ExitStatus): ExitStatus {
  process.stdout.write(text);
  return status;
}

function complain(text: string, status: ExitStatus): ExitStatus {
  process.stderr.write(`${text.trimEnd()}\n`);
  return status;
}

async function version(): Promise<string> {
  const { version: found } = JSON.parse(await readFile(join(INSTALL_ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  return `distro_const (distrofarm) ${found}`;
}

/** The folder of package.json, from the sources as well as from dist/. */
function installRoot(from: string): string {
  return existsSync(join(from, 'package.json')) ? from : installRoot(dirname(from));
}
