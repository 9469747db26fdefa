import { StepRunner, type StepOutcome, type Workspace } from '#libs/engine';
import type { PlannedStep } from '#libs/plan';
import { join } from 'node:path';
import { ManifestSocket, type AnswerQuery } from './manifest-socket.js';
import { runStepProcess, type ProcessEnd, type StepStream } from './step-process.js';

export interface ScriptRunnerOptions {
  /** Answers what the step asks of the manifest. */
  readonly answerFor: (step: PlannedStep) => AnswerQuery;
  readonly mediaPath: string;
  /** Environment of every step. */
  readonly environment: Readonly<Record<string, string>>;
  /** What the step finds in it besides. */
  readonly variablesOf: (step: PlannedStep) => Readonly<Record<string, string>>;
  readonly workingFolder: string;
  readonly onOutput: (step: PlannedStep, stream: StepStream, bytes: Uint8Array) => void;
  /** Told before a step starts; for the detail log. */
  readonly onCommand?: (step: PlannedStep, argv: readonly string[]) => void;
  /** Between asking a step to end and making it; 10 s keeps a cancelled build within 15 s. */
  readonly killAfterMs?: number;
  readonly stragglerGraceMs?: number;
}

const KILL_AFTER_MS = 10_000;
const STRAGGLER_GRACE_MS = 1_000;

/** Runs a step's script by the contract of distro_const's finalizers (docs/manifest.md, "What a script gets"). */
export class ScriptRunner extends StepRunner {
  constructor(private readonly options: ScriptRunnerOptions) {
    super();
  }

  override async run(step: PlannedStep, workspace: Workspace, signal: AbortSignal): Promise<StepOutcome> {
    if (signal.aborted) return { kind: 'interrupted', reason: reasonOf(signal) };
    const socket = await ManifestSocket.open(this.options.answerFor(step));
    const limits = new StepLimits(step);
    try {
      const end = await this.#runScript(
        step,
        workspace,
        socket.path,
        AbortSignal.any([signal, limits.signal]),
        limits,
      );
      return limits.exceeded ?? outcomeOf(end, signal);
    } finally {
      limits.stop();
      await socket.close();
    }
  }

  async #runScript(
    step: PlannedStep,
    workspace: Workspace,
    socketPath: string,
    signal: AbortSignal,
    limits: StepLimits,
  ): Promise<ProcessEnd> {
    const { options } = this;
    const folders = ['pkg_image', 'tmp', 'boot_archive'].map((folder) => join(workspace.path, folder));
    const args = [socketPath, ...folders, options.mediaPath, ...step.args];
    options.onCommand?.(step, [step.script, ...args]);
    return await runStepProcess({
      script: step.script,
      args,
      environment: { ...options.environment, ...options.variablesOf(step) },
      workingFolder: options.workingFolder,
      workspacePath: workspace.path,
      mediaPath: options.mediaPath,
      onOutput: (stream, bytes) => {
        limits.sawOutput();
        options.onOutput(step, stream, bytes);
      },
      signal,
      killAfterMs: options.killAfterMs ?? KILL_AFTER_MS,
      stragglerGraceMs: options.stragglerGraceMs ?? STRAGGLER_GRACE_MS,
    });
  }
}

/** The step's `farm:timeout` and `farm:silence`, as a signal that ends it. */
class StepLimits {
  exceeded: StepOutcome | null = null;
  readonly #abort = new AbortController();
  readonly #timeout: NodeJS.Timeout | undefined;
  readonly #silence: NodeJS.Timeout | undefined;

  constructor({ timeoutSeconds, silenceSeconds }: PlannedStep) {
    this.#timeout = this.#limit(timeoutSeconds, 'timed-out');
    this.#silence = this.#limit(silenceSeconds, 'silent');
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  sawOutput(): void {
    this.#silence?.refresh();
  }

  stop(): void {
    clearTimeout(this.#timeout);
    clearTimeout(this.#silence);
  }

  #limit(limitSeconds: number | null, kind: 'timed-out' | 'silent'): NodeJS.Timeout | undefined {
    if (limitSeconds === null) return undefined;
    return setTimeout(() => {
      this.exceeded ??= { kind, limitSeconds };
      this.#abort.abort();
    }, limitSeconds * 1000);
  }
}

function outcomeOf(end: ProcessEnd, signal: AbortSignal): StepOutcome {
  if (signal.aborted) return { kind: 'interrupted', reason: reasonOf(signal) };
  return end.kind === 'exited' && end.status === 0 ? { kind: 'succeeded' } : end;
}

function reasonOf(signal: AbortSignal): string {
  return signal.reason instanceof Error ? signal.reason.message : String(signal.reason);
}
