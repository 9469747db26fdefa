import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Where the programs are that a farm is made of; DISTROFARM_BUILT names another copy of this folder. */
export const INSTALLED = process.env['DISTROFARM_BUILT'] ?? resolve(import.meta.dirname, '../..');

/** Throws, with what to do, where dist/ has not been built. */
export function requireBuilt(): void {
  const missing = ['coordinator', 'agent', 'distrofarm', 'distro_const']
    .map((program) => join(INSTALLED, 'dist/programs', program, 'main.js'))
    .find((path) => !existsSync(path));
  if (missing !== undefined) throw new Error(`${missing} is not there: build it with "npm run build"`);
}

/** A program of the farm as a process of its own. The kernel kills it when the test process ends without a word. */
export class FarmProcess {
  /** All that it has written to standard error, in all its lives. */
  output = '';
  #child: ChildProcess | null = null;

  constructor(
    readonly name: string,
    private readonly argv: readonly string[],
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Does not wait for it to be ready. */
  start(): void {
    // setpriv(1) becomes the program, so that the process we know is the program's.
    const child = spawn('setpriv', ['--pdeathsig=KILL', '--', ...this.argv], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], ...this.env },
    });
    child.stderr.on('data', (bytes: Buffer) => (this.output += bytes.toString()));
    this.#child = child;
  }

  /** Resolves to its exit status, or the signal that ended it. */
  async ended(): Promise<number | string | null> {
    const child = this.#child;
    if (child === null) return null;
    if (this.isRunning) await once(child, 'close');
    return child.exitCode ?? child.signalCode;
  }

  /** The signal goes out before this returns; resolves when the process is gone. */
  async end(signal: NodeJS.Signals): Promise<number | string | null> {
    if (this.isRunning) this.#child?.kill(signal);
    return await this.ended();
  }

  /** Does nothing to one that does not run. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child?.kill(signal);
  }

  async kill9(): Promise<void> {
    await this.end('SIGKILL');
  }
}
