import type { ExitCode } from './exit-codes.js';

/** Why a command cannot do what it was asked: a sentence, what to do next, and how to exit. */
export class CliError extends Error {
  override readonly name = 'CliError';
  constructor(
    readonly exit: ExitCode,
    message: string,
    readonly hint: string | null = null,
    /** A line each. */
    readonly problems: readonly string[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
