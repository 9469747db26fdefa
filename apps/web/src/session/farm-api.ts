import type { FarmErrorBody } from '#libs/contracts';
import { farmClock } from '../live/farm-clock.js';
import { NotReached, Refused } from './api-failure.js';
import { showUnseen } from './visible-text.js';

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
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
    }
  }

  async #refusal(response: Response): Promise<Refused> {
    const body = (await response.json().catch(() => null)) as Partial<FarmErrorBody> | null;
    const refusal = new Refused(
      body?.code ?? 'UNEXPECTED',
      response.status,
      showUnseen(body?.message ?? `the farm answered with status ${response.status}, and no reason`),
      body?.hint ?? null,
      body?.problems ?? [],
    );
    if (response.status === 401) this.onSignedOut(refusal);
    return refusal;
  }

  async #json<T>(response: Response): Promise<T> {
    try {
      return JSON.parse(showUnseen(await response.text())) as T;
    } catch (error) {
      throw new NotReached('the answer of the farm broke off', { cause: error });
    }
  }
}

/** `/builds/${id}` with each value encoded as one component. */
export function pathOf(parts: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return parts.reduce((path, part, index) => path + encodeURIComponent(values[index - 1] ?? '') + part);
}
