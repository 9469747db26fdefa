/** The farm said no, in the words of its FarmErrorBody. */
export class Refused extends Error {
  override readonly name = 'Refused';
  constructor(
    readonly code: string,
    readonly status: number,
    message: string,
    readonly hint: string | null,
    readonly problems: readonly string[],
  ) {
    super(message);
  }
}

/** Nothing came, or it broke off: the network, or a coordinator that restarts. */
export class NotReached extends Error {
  override readonly name = 'NotReached';
}

/** Whether trying again may help, with nothing changed. */
export function isPassing(error: unknown): boolean {
  if (error instanceof Refused) return [429, 502, 503, 504].includes(error.status);
  return error instanceof NotReached;
}

/** One sentence, and what to do next where that is known. */
export function inWords(error: unknown): { readonly message: string; readonly hint: string | null } {
  if (error instanceof Refused) return { message: sentence(error.message), hint: error.hint };
  if (error instanceof NotReached) return { message: sentence(error.message), hint: null };
  const what = error instanceof Error ? error.message : String(error);
  return { message: `The page failed at this: ${what}`, hint: 'Reload the page.' };
}

function sentence(text: string): string {
  const ended = /[.!?]$/.test(text) ? text : `${text}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}
