import picocolors from 'picocolors';
import { CliError } from './cli-error.js';
import { cleaned, toJson } from './cleaned.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import type { Farm } from './farm.js';
import { writeTo, type Io } from './io.js';
import { chooseProfile } from './profiles.js';
import { untilAborted } from './until-aborted.js';

/** Options that every command has. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly profile?: string;
}

export type Colours = ReturnType<typeof picocolors.createColors>;

/** One run of the program: what a command was given to see, say and talk to. */
export class Session {
  /** How the program will exit. The first one that is not 0 stays. */
  exit: ExitCode = EXIT.ok;
  readonly colours: Colours;
  options: GlobalOptions = {};
  #farm: Farm | null = null;

  constructor(
    readonly io: Io,
    /** Of this program. */
    readonly version: string,
  ) {
    this.colours = picocolors.createColors(wantsColour(io));
  }

  get json(): boolean {
    return this.options.json === true;
  }

  /** Connects to nothing yet. Throws a CliError when no farm is configured. */
  async farm(): Promise<Farm> {
    if (this.#farm === null) {
      const { Farm } = await import('./farm.js');
      this.#farm = new Farm(await chooseProfile(this.io.env, this.options.profile), this.io.signal);
    }
    return this.#farm;
  }

  close(): void {
    this.#farm?.close();
  }

  fail(exit: ExitCode): void {
    if (this.exit === EXIT.ok) this.exit = exit;
  }

  /** To standard output. What others wrote has been through `cleaned` or `neutralise`. */
  async print(...lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await writeTo(this.io.stdout, `${lines.join('\n')}\n`);
  }

  /** To standard error: what is not the answer itself. */
  async note(...lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await writeTo(this.io.stderr, `${lines.join('\n')}\n`);
  }

  /** One JSON value: indented for a person at a terminal, else on one line. */
  async printJson(value: unknown): Promise<void> {
    await this.print(toJson(value, this.io.stdout.isTTY === true ? 2 : undefined));
  }

  /** Prints the farm's answer: unchanged as JSON, or as the lines that `render` makes of its cleaned form. */
  async show<T>(answer: T, render: (answer: T) => readonly string[]): Promise<void> {
    if (this.json) await this.printJson(answer);
    else await this.print(...render(cleaned(answer)));
  }

  /** Asks a person at a terminal; a script has said what it wants by calling. Throws when the answer is no. */
  async confirm(question: string, yes: boolean): Promise<void> {
    const { stdin, stderr } = this.io;
    if (yes || stdin.isTTY !== true || stderr.isTTY !== true) return;
    await writeTo(stderr, `${question} [y/N] `);
    const answer = await untilAborted(firstLine(this.io), this.io.signal);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(EXIT.failed, 'nothing was done');
  }
}

async function firstLine({ stdin }: Io): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += chunk.toString();
    if (text.includes('\n')) break;
  }
  return text.split('\n')[0] ?? '';
}

function wantsColour({ env, stdout }: Io): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  return stdout.isTTY === true || (env['CLICOLOR_FORCE'] ?? '0') !== '0';
}
