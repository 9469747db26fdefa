import type { PlannedStep } from '#libs/plan';
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fingerprintProgram } from './fingerprint-program.js';
import { ManifestSocket, type AnswerQuery } from './manifest-socket.js';
import { runStepProcess, type ProcessEnd } from './step-process.js';

export interface FingerprintRun {
  readonly step: PlannedStep;
  /** `ManifestStep.fingerprint`: a program and its arguments, at least one word. */
  readonly command: readonly string[];
  /** A program with a slash in its name is found from this file's folder, as scripts are. */
  readonly manifestFile: string;
  /** Answers what the command asks of the manifest: what the step may ask, see `answerFromManifest`. */
  readonly answer: AnswerQuery;
  /** What the step finds in its own: `stepEnvironment` and `ownVariables`. */
  readonly environment: Readonly<Record<string, string>>;
  /** When aborted, the command is ended. */
  readonly signal: AbortSignal;
  /** For tests; the default is `FINGERPRINT_LIMIT_MS`. */
  readonly limitMs?: number;
}

/** @property output SHA-256 (hex) of what the command wrote to its standard output */
export type FingerprintResult =
  | { readonly ok: true; readonly output: string }
  | { readonly ok: false; readonly kind: FingerprintFailure; readonly reason: string };

/** Why nothing is known of a fingerprint; `interrupted`: the caller's signal. */
export type FingerprintFailure =
  'not-started' | 'exited' | 'killed' | 'timed-out' | 'too-long' | 'empty' | 'interrupted';

/** Submissions wait for it, so it is to ask for a digest or a date, and not to fetch what that is of. */
export const FINGERPRINT_LIMIT_MS = 30_000;
/** A list of a few hundred digests. What is longer is not what somebody meant to be looked at for each submission. */
export const FINGERPRINT_LIMIT_BYTES = 64 * 1024;

const KILL_AFTER_MS = 1_000;
const STRAGGLER_GRACE_MS = 100;
/** Of the errors that it writes, only the last line is ever shown. */
const KEPT_ERROR_BYTES = 4096;
const SHOWN_CHARACTERS = 200;

/**
 * Runs a step's fingerprint command as the step itself would run: as root in mount and process namespaces of its own, with the step's environment and nothing on its standard input. It
 * has an empty folder to work in, which is gone afterwards, and finds the manifest's socket in `DC_MANIFEST_SOCKET`. Never throws for what the command does; `reason` names the step and
 * the command, and says what was expected.
 */
export async function runFingerprint(run: FingerprintRun): Promise<FingerprintResult> {
  const socket = await ManifestSocket.open(run.answer);
  // Beside the socket: what a killed process leaves there, its next one removes.
  const folder = join(dirname(socket.path), 'work');
  const output = new BoundedOutput();
  try {
    await mkdir(folder);
    const timeout = AbortSignal.timeout(run.limitMs ?? FINGERPRINT_LIMIT_MS);
    const [word = '', ...args] = run.command;
    const end = await runStepProcess({
      script: fingerprintProgram(run.manifestFile, run.command) ?? word,
      args,
      environment: { ...run.environment, DC_MANIFEST_SOCKET: socket.path },
      workingFolder: folder,
      workspacePath: folder,
      mediaPath: folder,
      onOutput: (stream, bytes) => output.add(stream, bytes),
      signal: AbortSignal.any([run.signal, timeout, output.tooLong]),
      killAfterMs: KILL_AFTER_MS,
      stragglerGraceMs: STRAGGLER_GRACE_MS,
    });
    return judge(run, output, timeout, end);
  } finally {
    await socket.close();
  }
}

/** What was the first to go wrong is what is told: a command that is ended because of it also "was ended by SIGTERM". */
function judge(
  run: FingerprintRun,
  output: BoundedOutput,
  timeout: AbortSignal,
  end: ProcessEnd,
): FingerprintResult {
  const failed = (kind: FingerprintFailure, what: string): FingerprintResult => ({
    ok: false,
    kind,
    reason: `step "${run.step.name}": its fingerprint command ${commandLine(run.command)} ${what}${output.lastError()}`,
  });
  const seconds = (run.limitMs ?? FINGERPRINT_LIMIT_MS) / 1000;
  if (output.tooLong.aborted)
    return failed(
      'too-long',
      `wrote more than ${FINGERPRINT_LIMIT_BYTES / 1024} KiB; expected a digest, or a few lines`,
    );
  if (run.signal.aborted) return failed('interrupted', 'was interrupted');
  if (timeout.aborted)
    return failed('timed-out', `had not ended after ${seconds} s; expected its output within that`);
  switch (end.kind) {
    case 'not-started':
      return failed('not-started', `did not start: ${end.reason}; expected ${expectedProgram(run)}`);
    case 'killed':
      return failed('killed', `was ended by ${end.signal}; expected exit status 0`);
    case 'exited':
      if (end.status !== 0)
        return failed('exited', `ended with exit status ${end.status}; expected exit status 0`);
  }
  if (output.isEmpty)
    return failed('empty', 'wrote nothing; expected what changes when the step would do something else');
  return { ok: true, output: output.digest() };
}

function expectedProgram({ command, manifestFile }: FingerprintRun): string {
  const path = fingerprintProgram(manifestFile, command);
  return path === null ? "a program in the steps' PATH" : 'an executable file';
}

function commandLine(command: readonly string[]): string {
  const words = command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`));
  return shown(words.join(' '));
}

/** What does not print (escape sequences, overrides of the writing direction) is not for a terminal. */
function shown(text: string): string {
  const harmless = text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
  return harmless.length > SHOWN_CHARACTERS ? `${harmless.slice(0, SHOWN_CHARACTERS)}…` : harmless;
}

/** Both streams, as far as they are needed: a command may write gigabytes. */
class BoundedOutput {
  readonly #hash = createHash('sha256');
  readonly #tooLong = new AbortController();
  #bytes = 0;
  #errors = Buffer.alloc(0);

  add(stream: 'out' | 'err', bytes: Uint8Array): void {
    if (stream === 'err') {
      this.#errors = Buffer.concat([this.#errors, bytes]).subarray(-KEPT_ERROR_BYTES);
      return;
    }
    this.#bytes += bytes.length;
    if (this.#bytes > FINGERPRINT_LIMIT_BYTES) this.#tooLong.abort();
    else this.#hash.update(bytes);
  }

  get tooLong(): AbortSignal {
    return this.#tooLong.signal;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  digest(): string {
    return this.#hash.digest('hex');
  }

  /** Behind a sentence; empty where it wrote none. */
  lastError(): string {
    const lines = this.#errors.toString().split(/[\r\n]+/);
    const last = lines.findLast((line) => line.trim() !== '');
    return last === undefined ? '' : `. Its last line of errors: ${shown(last.trim())}`;
  }
}
