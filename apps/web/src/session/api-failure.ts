/** The farm said no, in the words of its FarmErrorBody. */
export class Refused extends Error {
  override readonly name = 'Refused';
  constructor(
    readonly code: string,
    readonly status: number,
    message: string,
    readonly hint: string | null,
    readonly problems: readonly string[],
    /** How long it asks to be left alone; `null` where it does not. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }
}

/** Nothing came, it broke off, or it was not the farm that answered: the network, what is in between, or a coordinator that restarts. */
export class NotReached extends Error {
  override readonly name = 'NotReached';
  constructor(
    message: string,
    readonly hint: string | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A whole answer came, and was of another form than one of the farm: a proxy's own page, for one. */
export function notTheFarm(found: string | null): NotReached {
  return new NotReached(
    `something else than the farm answered: ${found ?? 'nothing'} came where data was expected`,
    'A proxy in between may want its own sign-in: load the page anew.',
  );
}

/** Whether trying again may help, with nothing changed. */
export function isPassing(error: unknown): boolean {
  if (error instanceof Refused) return [429, 502, 503, 504].includes(error.status);
  return error instanceof NotReached;
}

/** One sentence, and what to do next where that is known. */
export function inWords(error: unknown): { readonly message: string; readonly hint: string | null } {
  if (error instanceof Refused || error instanceof NotReached)
    return { message: sentence(error.message), hint: error.hint };
  const what = error instanceof Error ? error.message : String(error);
  return {
    message: `The page failed at this: ${what}`,
    hint: 'The farm may be of another version than the page: load the page anew.',
  };
}

function sentence(text: string): string {
  const ended = /[.!?]$/.test(text) ? text : `${text}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}
