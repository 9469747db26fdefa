import type { FarmErrorBody } from '#libs/contracts';

const SHOWN_CHARACTERS = 200;

/**
 * The coordinator's refusal, as contracts' FarmErrorBody has it. What answers without such a body (a proxy, another server) has the code
 * `UNEXPECTED`.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    /** One of contracts' FARM_ERRORS, or `UNEXPECTED`. */
    readonly code: string,
    /** HTTP status. */
    readonly status: number,
    message: string,
    readonly hint: string | null,
    readonly problems: readonly string[],
    /** The whole body: parsed where it was JSON, e.g. for `bytes` of WRONG_OFFSET, else its text. */
    readonly body: unknown,
  ) {
    super(message);
  }
}

/** The error that a body with a status of refusal stands for. */
export function apiErrorOf(status: number, text: string): ApiError {
  const body = parsed(text);
  if (isFarmErrorBody(body)) {
    return new ApiError(body.code, status, body.message, body.hint, body.problems, body);
  }
  return unexpectedAnswer(status, text);
}

/** For an answer that is none of ours. Shows its beginning, with control characters as spaces. */
export function unexpectedAnswer(status: number, text: string, hint: string | null = null): ApiError {
  const shown = text
    .slice(0, SHOWN_CHARACTERS)
    .replace(/\p{Cc}+/gu, ' ')
    .trim();
  const message = `unexpected answer with status ${status}${shown === '' ? '' : `: ${shown}`}`;
  const defaultHint = 'Is the address that of a distrofarm coordinator?';
  return new ApiError('UNEXPECTED', status, message, hint ?? defaultHint, [], parsed(text) ?? text);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** By hand: zod would cost the CLI 140 ms at start. Further fields are allowed. */
function isFarmErrorBody(body: unknown): body is FarmErrorBody {
  if (typeof body !== 'object' || body === null) return false;
  const { code, message, hint, problems } = body as Partial<Record<keyof FarmErrorBody, unknown>>;
  return (
    typeof code === 'string' &&
    typeof message === 'string' &&
    (hint === null || typeof hint === 'string') &&
    Array.isArray(problems) &&
    problems.every((problem) => typeof problem === 'string')
  );
}
