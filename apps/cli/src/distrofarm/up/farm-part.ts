import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { PartLog } from './part-log.js';

export interface PartProgram {
  /** For people: `coordinator`, `agent`. */
  readonly name: string;
  /** What node runs, and its arguments. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Gets both of its streams. */
  readonly log: PartLog;
}

/** How a process ended; `null`s when it could not even be started. */
export interface PartEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program of the farm as a child of this process. The kernel kills it when this process ends, however that ends. */
export class FarmPart {
  #child: ChildProcess | null = null;
  #end: Promise<PartEnd> = Promise.resolve({ status: null, signal: null });

  constructor(readonly program: PartProgram) {}

  /** Does not wait for it to be ready. Not to be called while it runs. */
  start(): void {
    const { argv, environment, log } = this.program;
    // setpriv becomes node. A session of its own: the terminal's Ctrl-C is for us, and we say in which order the parts end.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...argv], {
      cwd: '/',
      env: environment,
      detached: true,
      stdio: ['ignore', log.file.fd, log.file.fd],
    });
    this.#child = child;
    this.#end = endOf(child);
  }

  /** When the process that was started last is gone. */
  async ended(): Promise<PartEnd> {
    return await this.#end;
  }

  /** Asks it to end, and makes it after `graceMs`. False: it had to be made to. */
  async stop(graceMs: number): Promise<boolean> {
    this.#child?.kill('SIGTERM');
    const timer = new AbortController();
    const isLate = await Promise.race([this.#end.then(() => false), after(graceMs, timer.signal)]);
    timer.abort();
    if (!isLate) return true;
    this.#child?.kill('SIGKILL');
    await this.#end;
    return false;
  }
}

async function endOf(child: ChildProcess): Promise<PartEnd> {
  try {
    await once(child, 'exit');
    return { status: child.exitCode, signal: child.signalCode };
  } catch {
    // setpriv is not there; the log cannot say so.
    return { status: null, signal: null };
  }
}

async function after(ms: number, signal: AbortSignal): Promise<true> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  return true;
}

export function describeEnd({ status, signal }: PartEnd): string {
  if (signal !== null) return `was ended by ${signal}`;
  return status === null
    ? 'could not be started: setpriv(1) of util-linux is needed'
    : `ended with status ${status}`;
}
