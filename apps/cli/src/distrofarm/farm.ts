import type { FarmEvent } from '#libs/contracts';
import { ApiError, type CallOptions, type Download, HttpClient, Unreachable } from '#libs/http-client';
import type { ChosenProfile } from './profiles.js';
import { CliError } from './cli-error.js';
import { EXIT } from './exit-codes.js';

const BASE = '/api/v1';
/** The coordinator sends a comment more often than this. */
const STREAM_SILENCE_MS = 60_000;

/** The farm that a command talks to. Calls throw ApiError and Unreachable. */
export class Farm {
  readonly #client: HttpClient;

  /** @param signal ends every call that has none of its own */
  constructor(
    readonly profile: ChosenProfile,
    private readonly signal: AbortSignal | null = null,
  ) {
    const { url, token, ca } = profile;
    try {
      this.#client = new HttpClient({ url, secret: token, ca });
    } catch (error) {
      throw new CliError(
        EXIT.config,
        `the address of ${profile.name} cannot be used: ${(error as Error).message}`,
      );
    }
  }

  async get<T>(path: string, options?: CallOptions): Promise<T> {
    return await this.#json<T>('GET', path, undefined, options);
  }

  async post<T>(path: string, body: unknown, options?: CallOptions): Promise<T> {
    return await this.#json<T>('POST', path, body, options);
  }

  async delete(path: string): Promise<unknown> {
    return await this.#client.json('DELETE', BASE + path, undefined, this.#withSignal());
  }

  async download(path: string, options: CallOptions & { readonly offset?: number }): Promise<Download> {
    return await this.#client.download(BASE + path, options);
  }

  /** Events behind position `after`, until the connection breaks (then it throws) or the coordinator ends it. */
  async *events(path: string, after: number, signal: AbortSignal): AsyncGenerator<FarmEvent, void> {
    const options = { lastEventId: String(after), signal, timeoutMs: STREAM_SILENCE_MS };
    const events = this.#client.events(`${BASE}${path}?after=${after}`, options);
    for await (const { data } of events) {
      const event = readEvent(data);
      if (event !== null) yield event;
    }
  }

  close(): void {
    this.#client.close();
  }

  async #json<T>(method: string, path: string, body: unknown, options?: CallOptions): Promise<T> {
    const answer = await this.#client.json<T>(method, BASE + path, body, this.#withSignal(options));
    if (answer === null) {
      throw new ApiError('UNEXPECTED', 204, `${method} ${path} was answered with nothing`, null, [], null);
    }
    return answer;
  }

  #withSignal(options: CallOptions = {}): CallOptions {
    return this.signal === null ? options : { signal: this.signal, ...options };
  }
}

/** `/builds/${id}` with each value encoded as one component. */
export function pathOf(parts: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return parts.reduce((path, part, index) => path + encodeURIComponent(values[index - 1] ?? '') + part);
}

/** `?a=1&b=2` of what is given; nothing without any. */
export function queryOf(
  values: Readonly<Record<string, string | number | readonly string[] | undefined>>,
): string {
  const pairs = Object.entries(values).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const each = typeof value === 'object' ? value : [String(value)];
    return each.map((one) => [name, one] as [string, string]);
  });
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`;
}

/** A lost connection and a coordinator that restarts are worth another try; a refusal is not. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ApiError) return error.status === 503 || error.status === 502 || error.status === 504;
  return error instanceof Unreachable;
}

/** `null` for what is no event of ours, such as a heartbeat. */
function readEvent(data: string): FarmEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  const { seq, type, data: facts } = (value ?? {}) as Partial<Record<keyof FarmEvent, unknown>>;
  const isEvent =
    typeof seq === 'number' && typeof type === 'string' && typeof facts === 'object' && facts !== null;
  return isEvent ? (value as FarmEvent) : null;
}
