import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { finished, PassThrough, type Readable } from 'node:stream';
import { apiErrorOf, unexpectedAnswer } from './api-error.js';
import { ServerEventParser, type ServerEvent } from '#libs/event-stream';
import { targetOf, type Target } from './target.js';
import { Unreachable, unreachableBy } from './unreachable.js';

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_JSON_BYTES = 64 * 1024 * 1024;

export interface HttpClientOptions {
  /** `http://…`, `https://…` or `unix:/path/to.sock`. */
  readonly url: string;
  /** Sent as `Authorization: Bearer …`. */
  readonly secret: string | null;
  /** PEM of a private certificate authority, trusted instead of the system's. */
  readonly ca: string | null;
  /** Longest silence of the connection, also before an answer starts. Default 30 s. */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the call, also while its body is read; the call then throws the signal's reason. */
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

export interface Download {
  /** 200, or 206 when the server goes on at the offset. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end, or destroyed. Fails with Unreachable when it breaks off. */
  readonly body: Readable;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Uint8Array | Readable | null;
  readonly options: CallOptions;
}

/**
 * HTTP to the coordinator, over node:http with connections kept open. All calls throw ApiError for a refusal and Unreachable where no answer
 * came; nothing is tried twice. Safe for many calls at the same time.
 */
export class HttpClient {
  readonly #target: Target;
  readonly #secret: string | null;
  readonly #timeoutMs: number;

  constructor(options: HttpClientOptions) {
    this.#target = targetOf(options.url, options.ca);
    this.#secret = options.secret;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  /** JSON there and back; `null` for an answer without a body (204). `T` is what contracts say, not checked here. */
  async json<T>(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<T | null> {
    const bytes = body === undefined ? null : Buffer.from(JSON.stringify(body));
    const headers =
      bytes === null ? {} : { 'content-type': 'application/json', 'content-length': bytes.length };
    const answer = await this.#exchange({ method, path, headers, body: bytes, options });
    return (await this.#readJson(answer, options)) as T | null;
  }

  /**
   * Sends bytes as they are; the answer is JSON. Give `length` with a stream, if it is known. An answer that comes before all is sent ends the
   * sending. A stream is destroyed when the call ends; what makes it fail is thrown as it is.
   */
  async send<T>(
    method: string,
    path: string,
    bytes: Uint8Array | Readable,
    options: CallOptions & { readonly length?: number } = {},
  ): Promise<T> {
    const length = bytes instanceof Uint8Array ? bytes.length : options.length;
    const headers = {
      'content-type': 'application/octet-stream',
      ...(length === undefined ? {} : { 'content-length': length }),
    };
    const answer = await this.#exchange({ method, path, headers, body: bytes, options });
    return (await this.#readJson(answer, options)) as T;
  }

  /** `offset`: bytes that are there already. A server may ignore it: look at `status`. */
  async download(path: string, options: CallOptions & { readonly offset?: number } = {}): Promise<Download> {
    const headers =
      options.offset === undefined || options.offset === 0 ? {} : { range: `bytes=${options.offset}-` };
    const answer = await this.#exchange({ method: 'GET', path, headers, body: null, options });
    const status = answer.statusCode ?? 0;
    if (status !== 200 && status !== 206) throw await this.#refusal(answer, options);
    return { status, headers: answer.headers, body: this.#carried(answer, options) };
  }

  /**
   * Server-sent events until the server ends the stream. Throws Unreachable when it breaks off, or when not even a comment came for
   * `timeoutMs`. Nothing is connected before the first event is asked for; leaving the loop ends the connection.
   */
  async *events(
    path: string,
    options: CallOptions & { readonly lastEventId?: string } = {},
  ): AsyncGenerator<ServerEvent, void, undefined> {
    const headers = {
      accept: 'text/event-stream',
      ...(options.lastEventId === undefined ? {} : { 'last-event-id': options.lastEventId }),
    };
    const answer = await this.#exchange({ method: 'GET', path, headers, body: null, options });
    if (answer.statusCode === 204) {
      answer.resume();
      return;
    }
    if (answer.statusCode !== 200) throw await this.#refusal(answer, options);
    if (!isOfType(answer, 'text/event-stream')) throw await this.#noStream(answer, options);
    yield* this.#parsed(answer, options);
  }

  /** Ends all connections; calls under way fail. */
  close(): void {
    this.#target.agent.destroy();
  }

  #exchange(call: Call): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      call.options.signal?.throwIfAborted();
      const request = this.#start(call);
      let answer: IncomingMessage | null = null;
      request.once('response', (response) => resolve((answer = response)));
      request.once('timeout', () => (answer ?? request).destroy(this.#silence(call.options)));
      // Stays for what comes after the answer: then the answer itself fails too.
      request.on('error', (error) => reject(this.#inWords(error, call.options)));
      feed(request, call.body, reject);
    });
  }

  #start({ method, path, headers, options }: Call): ClientRequest {
    const { target, secret } = { target: this.#target, secret: this.#secret };
    return target.request({
      ...target.options,
      agent: target.agent,
      method,
      path: target.basePath + path,
      timeout: options.timeoutMs ?? this.#timeoutMs,
      headers: {
        accept: 'application/json',
        ...headers,
        ...(secret === null ? {} : { authorization: `Bearer ${secret}` }),
        ...options.headers,
      },
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }

  async #readJson(answer: IncomingMessage, options: CallOptions): Promise<unknown> {
    const status = answer.statusCode ?? 0;
    if (status < 200 || status > 299) throw await this.#refusal(answer, options);
    const text = await this.#readText(answer, options);
    if (text === '') return null;
    try {
      return JSON.parse(text);
    } catch {
      throw unexpectedAnswer(status, text);
    }
  }

  async #refusal(answer: IncomingMessage, options: CallOptions): Promise<Error> {
    const status = answer.statusCode ?? 0;
    const text = await this.#readText(answer, options);
    const { location } = answer.headers;
    if (status < 400) {
      const hint =
        location === undefined ? null : `It points to ${JSON.stringify(location)}: use that address.`;
      return unexpectedAnswer(status, text, hint);
    }
    return apiErrorOf(status, text);
  }

  async #noStream(answer: IncomingMessage, options: CallOptions): Promise<Error> {
    return unexpectedAnswer(answer.statusCode ?? 0, await this.#readText(answer, options));
  }

  async #readText(answer: IncomingMessage, options: CallOptions): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of this.#chunks(answer, options)) {
      bytes += chunk.length;
      if (bytes > MAX_JSON_BYTES) {
        throw unexpectedAnswer(answer.statusCode ?? 0, `a body of more than ${MAX_JSON_BYTES} bytes`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  async *#parsed(answer: IncomingMessage, options: CallOptions): AsyncGenerator<ServerEvent> {
    const parser = new ServerEventParser();
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    for await (const chunk of this.#chunks(answer, options)) {
      yield* parser.push(decoder.decode(chunk, { stream: true }));
    }
  }

  /** Leaving early destroys the connection, as a stream's own iterator does. */
  async *#chunks(answer: IncomingMessage, options: CallOptions): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of answer) yield chunk as Buffer;
    } catch (error) {
      throw this.#inWords(error as Error, options);
    }
  }

  #carried(answer: IncomingMessage, options: CallOptions): Readable {
    const body = new PassThrough();
    answer.once('error', (error) => body.destroy(this.#inWords(error, options)));
    body.once('close', () => answer.destroy());
    return answer.pipe(body);
  }

  #silence(options: CallOptions): Unreachable {
    const seconds = (options.timeoutMs ?? this.#timeoutMs) / 1000;
    return new Unreachable(
      `cannot reach ${this.#target.where}: nothing came for ${seconds} s`,
      'Try again; see the log of the coordinator.',
    );
  }

  #inWords(error: Error, { signal }: CallOptions): Error {
    if (signal?.aborted === true) return signal.reason instanceof Error ? signal.reason : error;
    return unreachableBy(error, this.#target.where);
  }
}

function feed(
  request: ClientRequest,
  body: Uint8Array | Readable | null,
  fail: (error: Error) => void,
): void {
  if (body === null || body instanceof Uint8Array) {
    request.end(body);
    return;
  }
  finished(body, { writable: false }, (error) => {
    if (error === undefined || error === null) return;
    fail(error);
    request.destroy();
  });
  // Whoever has answered wants no more of it.
  request.once('response', (response) =>
    response.once('end', () => request.writableFinished || request.destroy()),
  );
  request.once('close', () => body.destroy());
  body.pipe(request);
}

function isOfType(answer: IncomingMessage, type: string): boolean {
  return answer.headers['content-type']?.split(';')[0]?.trim().toLowerCase() === type;
}
