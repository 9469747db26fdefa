import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { STEP_INIT } from './step-init.js';

export interface StepProcessOptions {
  readonly script: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingFolder: string;
  /** The folders whose mounts the step keeps; the mounted workspaces of others are not in its namespace. */
  readonly workspacePath: string;
  readonly mediaPath: string;
  /** Gets every byte of both streams, in order per stream. */
  readonly onOutput: (stream: StepStream, bytes: Uint8Array) => void;
  /** When aborted, the step's processes are asked to end, and made to after `killAfterMs`. */
  readonly signal: AbortSignal;
  readonly killAfterMs: number;
  /** How long what the script left running may go on flushing output. */
  readonly stragglerGraceMs: number;
}

export type StepStream = 'out' | 'err';

/** How the script's own process ended, whatever made it end. */
export type ProcessEnd =
  | { readonly kind: 'exited'; readonly status: number }
  | { readonly kind: 'killed'; readonly signal: string }
  | { readonly kind: 'not-started'; readonly reason: string };

/**
 * Runs a program in mount and process namespaces of its own: whatever it mounts is seen by nobody else, whatever it starts ends
 * with it, and all of it ends when this process dies, even by SIGKILL. Needs root on Linux. Resolves when both streams
 * are drained and nothing of the step is left; does not throw.
 */
export async function runStepProcess(options: StepProcessOptions): Promise<ProcessEnd> {
  const init = [
    'perl',
    '-e',
    STEP_INIT,
    '--',
    String(options.stragglerGraceMs),
    options.workspacePath,
    options.mediaPath,
    options.script,
    ...options.args,
  ];
  // setpriv: the kernel kills unshare when this process dies; unshare: its child, and so the namespace, dies with it.
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc'];
  // Loaded when first needed: it takes 70 ms, and a listing runs no step.
  const { execa } = await import('execa');
  const child = execa('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...namespaces, ...init], {
    cwd: options.workingFolder,
    env: options.environment,
    extendEnv: false,
    detached: true,
    reject: false,
    buffer: false,
    encoding: 'buffer',
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const stopEnding = endOnAbort(child.pid, options.signal, options.killAfterMs);
  const report: Uint8Array[] = [];
  const [result] = await Promise.all([
    child,
    drain(child.stdout, (bytes) => options.onOutput('out', bytes)),
    drain(child.stderr, (bytes) => options.onOutput('err', bytes)),
    drain(child.stdio[3], (bytes) => report.push(bytes)),
  ]);
  stopEnding();
  return parseReport(Buffer.concat(report).toString(), result.signal ?? null, result.shortMessage);
}

async function drain(stream: Readable, onBytes: (bytes: Uint8Array) => void): Promise<void> {
  for await (const bytes of stream) onBytes(bytes as Uint8Array);
}

/** Returns what takes the listener and the timer away again. */
function endOnAbort(pid: number | undefined, signal: AbortSignal, killAfterMs: number): () => void {
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    signalGroup(pid, 'SIGTERM');
    timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), killAfterMs);
  };
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  return () => {
    signal.removeEventListener('abort', end);
    clearTimeout(timer);
  };
}

/** The group holds unshare and the init only; the init passes SIGTERM on, and SIGKILL takes the namespace down with them. */
function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

function parseReport(report: string, ownSignal: string | null, failure: string | undefined): ProcessEnd {
  const error = /^error (.*)$/m.exec(report)?.[1];
  if (error !== undefined) return { kind: 'not-started', reason: error };
  const status = /^status (\d+)$/m.exec(report)?.[1];
  if (status !== undefined) return fromWaitStatus(Number(status));
  // The init itself was ended before it could report: by us, or by someone with the power to.
  if (ownSignal !== null) return { kind: 'killed', signal: ownSignal };
  return { kind: 'not-started', reason: failure ?? 'the namespaces could not be made' };
}

/** wait(2): signal in the low seven bits, exit status in the second byte. */
function fromWaitStatus(status: number): ProcessEnd {
  const signal = status & 0x7f;
  if (signal !== 0) return { kind: 'killed', signal: SIGNAL_NAMES.get(signal) ?? `number ${signal}` };
  return { kind: 'exited', status: status >> 8 };
}
