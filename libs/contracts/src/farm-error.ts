import { z } from 'zod';

/** Every refusal of the API has this body. `code` is stable; `message` names the thing, `hint` says what to do next. */
export const FarmErrorBody = z
  .strictObject({
    code: z.string(),
    message: z.string(),
    hint: z.string().nullable(),
    /** Problems of a manifest or of a body, a line each; empty otherwise. */
    problems: z.array(z.string()),
  })
  .meta({ id: 'FarmError' });
export type FarmErrorBody = z.infer<typeof FarmErrorBody>;

/** The codes, each with its HTTP status. A client branches on the code, never on the message. */
export const FARM_ERRORS = {
  /** The body, a parameter or a header is not of the form the API takes. */
  INVALID: 400,
  /** The manifest has problems; each is in `problems`. */
  MANIFEST_INVALID: 400,
  /** No token, or one that is unknown, expired or revoked. */
  NOT_AUTHENTICATED: 401,
  FORBIDDEN: 403,
  /** A script of the submission is not in the catalogue, and the user may not bring own ones. */
  SCRIPT_NOT_CATALOGUED: 403,
  NOT_FOUND: 404,
  /** The thing is not in a state in which that can be done. */
  CONFLICT: 409,
  /** The attempt has another epoch by now: whoever writes has lost it, and must stop. */
  STALE_EPOCH: 409,
  /** An offset that does not follow what is there; `bytes` in the body says what is. */
  WRONG_OFFSET: 409,
  TOO_LARGE: 413,
  /** The bytes are not those that the digest names. */
  DIGEST_MISMATCH: 422,
  /** No agent of the farm could ever run it. */
  UNPLACEABLE: 422,
  TOO_MANY: 429,
  INTERNAL: 500,
  /** The database or Redis does not answer; nothing was changed. */
  UNAVAILABLE: 503,
} as const;
export type FarmErrorCode = keyof typeof FARM_ERRORS;

/** A refusal on its way to whoever asked. */
export class FarmError extends Error {
  override readonly name = 'FarmError';
  constructor(
    readonly code: FarmErrorCode,
    message: string,
    readonly hint: string | null = null,
    readonly problems: readonly string[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  get status(): number {
    return FARM_ERRORS[this.code];
  }

  toBody(): FarmErrorBody {
    return { code: this.code, message: this.message, hint: this.hint, problems: [...this.problems] };
  }
}
