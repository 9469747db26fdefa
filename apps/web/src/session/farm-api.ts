import { farmClock } from '../live/farm-clock.js';
import { NotReached, notTheFarm, Refused } from './api-failure.js';
import { refusalOf } from './refusal-of.js';
import { parseShown } from './visible-text.js';

export const API = '/api/v1';
/** A coordinator that has not begun to answer by then is told as one that is not reached. */
const ANSWER_MS = 30_000;

export interface Ask {
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
  /** For what takes the farm longer to answer than anything else. */
  readonly timeoutMs?: number;
}

/**
 * The public API, as whoever has the token. Throws Refused and NotReached. Answers are taken as libs/contracts types them and not parsed again: the
 * page and the API come from the same coordinator, and `whoami` says when that is another version by now.
 */
export class FarmApi {
  constructor(
    private readonly token: string,
    /** Told what the farm says when the token does not hold, or not any more. */
    private readonly onSignedOut: (refusal: Refused) => void = () => undefined,
    private readonly fetchIt: typeof fetch = (...args) => fetch(...args),
  ) {}

  async get<T>(path: string, ask?: Ask): Promise<T> {
    return await this.#json<T>(await this.#call('GET', path, undefined, ask));
  }

  async post<T>(path: string, body: unknown, ask?: Ask): Promise<T> {
    return await this.#json<T>(await this.#call('POST', path, body, ask));
  }

  /** An answer to be read as it comes. */
  async open(path: string, ask: Ask): Promise<Response> {
    return await this.#call('GET', path, undefined, ask);
  }

  async #call(method: string, path: string, body: unknown, ask: Ask = {}): Promise<Response> {
    const late = new AbortController();
    const { timeoutMs = ANSWER_MS } = ask;
    const timer = setTimeout(() => late.abort(), timeoutMs);
    const signals = ask.signal === undefined ? [late.signal] : [ask.signal, late.signal];
    try {
      const response = await this.fetchIt(API + path, {
        method,
        headers: {
          Authorization: `Bearer ${this.token}`,
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...ask.headers,
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.any(signals),
        cache: 'no-store',
        credentials: 'omit',
      });
      farmClock.note(response.headers.get('date'));
      if (response.ok) return response;
      throw await this.#refusal(response);
    } catch (error) {
      if (error instanceof Refused || ask.signal?.aborted === true) throw error;
      throw new NotReached(
        late.signal.aborted
          ? `the farm has not answered for ${timeoutMs / 1000} s`
          : 'the farm cannot be reached',
        null,
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
    }
  }

  async #refusal(response: Response): Promise<Refused> {
    const body = await response.text().catch(() => '');
    const refusal = refusalOf(response.status, response.headers.get('retry-after'), body);
    if (refusal.status === 401) this.onSignedOut(refusal);
    return refusal;
  }

  async #json<T>(response: Response): Promise<T> {
    const type = contentTypeOf(response);
    if (type !== 'application/json') throw notTheFarm(type);
    try {
      return parseShown(await response.text()) as T;
    } catch (error) {
      throw new NotReached('the answer of the farm broke off', null, { cause: error });
    }
  }
}

/** Without its parameters; `null` where there is none. */
export function contentTypeOf({ headers }: Response): string | null {
  return headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? null;
}

/** `/builds/${id}` with each value encoded as one component. */
export function pathOf(parts: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return parts.reduce((path, part, index) => path + encodeURIComponent(values[index - 1] ?? '') + part);
}
