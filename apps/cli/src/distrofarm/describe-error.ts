import { ApiError, Unreachable, WrongFarmCa } from '#libs/http-client';
import { neutralise } from '../distro-const/neutralise.js';
import { CliError } from './cli-error.js';
import { EXIT, exitForApiCode, type ExitCode } from './exit-codes.js';

export interface DescribedError {
  readonly exit: ExitCode;
  /** What went wrong, each problem on its own line, and what to do next; harmless on a terminal. */
  readonly text: string;
  /** As `--json` has it. */
  readonly body: {
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
    readonly problems: readonly string[];
  };
}

/** The words for an error that is expected to happen; `null` for a fault of this program. */
export function describeError(error: unknown): DescribedError | null {
  if (error instanceof CliError) {
    return described(error.exit, 'CLI', error.message, error.hint, error.problems);
  }
  if (error instanceof ApiError) {
    const hint = error.hint ?? (error.code === 'NOT_AUTHENTICATED' ? 'Log in: distrofarm login URL' : null);
    return described(exitForApiCode(error.code), error.code, error.message, hint, error.problems);
  }
  if (error instanceof Unreachable) {
    return described(
      EXIT.server,
      error.code,
      error.message,
      error.hint ?? 'See what is wrong with: distrofarm doctor',
      [],
    );
  }
  if (error instanceof WrongFarmCa) return described(EXIT.config, error.code, error.message, error.hint, []);
  return null;
}

function described(
  exit: ExitCode,
  code: string,
  message: string,
  hint: string | null,
  problems: readonly string[],
): DescribedError {
  const lines = [
    `distrofarm: ${message}`,
    ...problems.map((problem) => `  ${problem}`),
    ...(hint === null ? [] : [hint]),
  ];
  const text = lines
    .flatMap((line) => line.split('\n'))
    .map(neutralise)
    .join('\n');
  return { exit, text, body: { code, message, hint, problems } };
}
