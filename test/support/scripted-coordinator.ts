import {
  AskRoom,
  ATTEMPT_TOKEN_HEADER,
  EPOCH_HEADER,
  FARM_ERRORS,
  Heartbeat,
  Hello,
  newId,
  Reports,
  type AgentSettings,
  type AreaName,
  type Assignment,
  type AttemptId,
  type FarmErrorCode,
  type ReportEvent,
  type Wish,
} from '#libs/contracts';
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface AttemptState {
  readonly assignment: Assignment;
  granted: boolean;
  wish: Wish;
  pauseBefore: string | null;
  handOver: string | null;
  readonly events: ReportEvent[];
  log: Buffer;
}

interface Pending {
  readonly sha256: string;
  readonly bytes: number;
  received: Buffer;
}

/**
 * The far side of the agent protocol, with a script in place of decisions: what the test says is wanted of an attempt, that is answered. It keeps what a coordinator
 * keeps, and is as strict about order, offsets, digests and epochs.
 */
export class ScriptedCoordinator {
  settings: AgentSettings = {
    heartbeatMs: 200,
    selfStopMs: 20_000,
    claimWaitMs: 1_000,
    logFlushMs: 20,
    logChunkBytes: 4096,
    maxLogBytes: 1_000_000,
    uploadChunkBytes: 1024,
  };
  readonly key = `dfa_${createHash('sha256').update('key').digest('hex')}`;
  readonly hellos: Hello[] = [];
  readonly heartbeats: Heartbeat[] = [];
  readonly blobs = new Map<string, Buffer>();
  readonly refused: string[] = [];
  drop: AreaName[] = [];
  readonly askedRoom: AskRoom[] = [];
  /** What may go when an attempt asks for room; once. */
  mayGo: AreaName[] = [];
  readonly #attempts = new Map<AttemptId, AttemptState>();
  readonly #waiting: Assignment[] = [];
  readonly #uploads = new Map<string, Pending>();
  readonly #wakes = new Set<ServerResponse>();
  readonly #happened = new EventEmitter().setMaxListeners(100);
  #server: Server | null = null;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async up(): Promise<void> {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** As a coordinator that is killed: connections break off. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  give(assignment: Assignment): AttemptId {
    const { attempt, pauseBefore } = assignment;
    const state = {
      granted: true,
      wish: 'run' as const,
      pauseBefore,
      handOver: null,
      events: [],
      log: Buffer.alloc(0),
    };
    this.#attempts.set(attempt, { assignment, ...state });
    this.#waiting.push(assignment);
    this.#happened.emit('any');
    return attempt;
  }

  /** What is answered about the attempt from now on; the agent is woken. */
  want(
    attempt: AttemptId,
    change: Partial<Pick<AttemptState, 'granted' | 'wish' | 'pauseBefore' | 'handOver'>>,
  ): void {
    Object.assign(this.attempt(attempt), change);
    for (const stream of this.#wakes) stream.write('event: wake\ndata: now\n\n');
  }

  attempt(attempt: AttemptId): AttemptState {
    const state = this.#attempts.get(attempt);
    if (state === undefined) throw new Error(`no attempt ${attempt}`);
    return state;
  }

  events<T extends ReportEvent['type']>(
    attempt: AttemptId,
    type: T,
  ): readonly Extract<ReportEvent, { type: T }>[] {
    return this.attempt(attempt).events.filter(
      (event): event is Extract<ReportEvent, { type: T }> => event.type === type,
    );
  }

  /** Resolves when it holds, which is asked after each request. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await once(this.#happened, 'any');
  }

  /** Resolves to how the attempt ended, when all of its log is here, too. */
  async end(attempt: AttemptId): Promise<Extract<ReportEvent, { type: 'ended' }>['end']> {
    await this.until(() => {
      const [ended] = this.events(attempt, 'ended');
      return ended !== undefined && this.attempt(attempt).log.length >= ended.logBytes;
    });
    return this.events(attempt, 'ended')[0]!.end;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const answer = await this.#answer(request, response);
      if (answer !== undefined) send(response, answer === null ? 204 : 200, answer);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.refused.push(`${error.code} ${request.method ?? ''} ${request.url ?? ''}`);
      const body = { code: error.code, message: error.code, hint: null, problems: [], ...error.more };
      send(response, FARM_ERRORS[error.code], body);
    } finally {
      this.#happened.emit('any');
    }
  }

  /** `undefined`: answered already. */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const url = new URL(request.url ?? '', this.url);
    const body = await bodyOf(request);
    if (request.headers.authorization !== `Bearer ${this.key}`) throw new Refusal('NOT_AUTHENTICATED');
    const json = (): unknown => JSON.parse(body.toString());
    switch (url.pathname) {
      case '/agent/v1/hello':
        this.hellos.push(Hello.parse(json()));
        return { agent: newId('a'), name: 'agent', farm: 'farm', settings: this.settings, drop: this.drop };
      case '/agent/v1/heartbeat':
        return this.#heartbeat(Heartbeat.parse(json()));
      case '/agent/v1/wake':
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n');
        this.#wakes.add(response);
        response.on('close', () => this.#wakes.delete(response));
        return undefined;
      case '/agent/v1/claim':
        return await this.#claim(response);
    }
    const blob = /^\/agent\/v1\/blobs\/([0-9a-f]{64})$/.exec(url.pathname)?.[1];
    if (blob !== undefined) {
      this.#blob(blob, request, response);
      return undefined;
    }
    return this.#ofAttempt(url, request, body, json);
  }

  #heartbeat(heartbeat: Heartbeat): unknown {
    this.heartbeats.push(heartbeat);
    this.drop = this.drop.filter((area) => !heartbeat.dropped.includes(area));
    const leases = heartbeat.attempts.map(({ attempt, epoch }) => {
      const { granted, wish, pauseBefore, handOver, assignment } = this.attempt(attempt);
      return {
        attempt,
        granted: granted && epoch === assignment.epoch,
        wish,
        pauseBefore,
        ...(handOver === null ? {} : { handOver }),
      };
    });
    return { settings: this.settings, leases, drop: this.drop };
  }

  async #claim(response: ServerResponse): Promise<unknown> {
    const until = performance.now() + this.settings.claimWaitMs;
    const timer = setTimeout(() => this.#happened.emit('any'), this.settings.claimWaitMs);
    while (this.#waiting.length === 0 && performance.now() < until && !response.destroyed) {
      await once(this.#happened, 'any');
    }
    clearTimeout(timer);
    return response.destroyed ? null : (this.#waiting.shift() ?? null);
  }

  #blob(sha256: string, request: IncomingMessage, response: ServerResponse): void {
    const bytes = this.blobs.get(sha256);
    if (bytes === undefined) throw new Refusal('NOT_FOUND');
    const offset = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(offset > 0 ? 206 : 200).end(bytes.subarray(offset));
  }

  #ofAttempt(url: URL, request: IncomingMessage, body: Buffer, json: () => unknown): unknown {
    const [, id, what, upload, commit] =
      /^\/agent\/v1\/attempts\/([^/]+)\/(\w+)(?:\/([^/]+))?(\/commit)?$/.exec(url.pathname) ?? [];
    const state = this.#attempts.get(id as AttemptId);
    if (state === undefined) throw new Refusal('NOT_FOUND');
    const { epoch, token } = state.assignment;
    if (request.headers[EPOCH_HEADER] !== String(epoch) || !state.granted) throw new Refusal('STALE_EPOCH');
    if (request.headers[ATTEMPT_TOKEN_HEADER] !== token) throw new Refusal('NOT_AUTHENTICATED');
    const offset = Number(url.searchParams.get('offset'));
    if (what === 'reports') return this.#reports(state, Reports.parse(json()));
    if (what === 'log') {
      if (offset !== state.log.length) throw new Refusal('WRONG_OFFSET', { bytes: state.log.length });
      state.log = Buffer.concat([state.log, body]);
      return { bytes: state.log.length };
    }
    if (what === 'room') {
      this.askedRoom.push(AskRoom.parse(json()));
      return { drop: this.mayGo.splice(0) };
    }
    if (upload === undefined) return this.#startUpload(json() as { sha256: string; bytes: number });
    return commit === undefined ? this.#chunk(upload, offset, body) : this.#commit(upload);
  }

  #reports(state: AttemptState, { reports }: Reports): unknown {
    for (const { seq, event } of reports) {
      if (seq > state.events.length + 1) throw new Refusal('CONFLICT');
      if (seq === state.events.length + 1) state.events.push(event);
    }
    return { acknowledged: state.events.length };
  }

  #startUpload({ sha256, bytes }: { sha256: string; bytes: number }): unknown {
    if (this.blobs.has(sha256)) return { upload: null, offset: bytes, committed: true };
    const id = newId('u');
    this.#uploads.set(id, { sha256, bytes, received: Buffer.alloc(0) });
    return { upload: id, offset: 0, committed: false };
  }

  #chunk(id: string, offset: number, body: Buffer): unknown {
    const upload = this.#uploads.get(id);
    if (upload === undefined) throw new Refusal('NOT_FOUND');
    if (offset !== upload.received.length)
      throw new Refusal('WRONG_OFFSET', { bytes: upload.received.length });
    upload.received = Buffer.concat([upload.received, body]);
    return { upload: id, offset: upload.received.length, committed: false };
  }

  #commit(id: string): unknown {
    const upload = this.#uploads.get(id);
    if (upload === undefined) throw new Refusal('NOT_FOUND');
    const { sha256, bytes, received } = upload;
    this.#uploads.delete(id);
    if (received.length !== bytes || sha256Of(received) !== sha256) throw new Refusal('DIGEST_MISMATCH');
    this.blobs.set(sha256, received);
    return { upload: id, offset: bytes, committed: true };
  }
}

class Refusal extends Error {
  constructor(
    readonly code: FarmErrorCode,
    readonly more: Readonly<Record<string, unknown>> = {},
  ) {
    super(code);
  }
}

export function sha256Of(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    // The agent is gone: nobody reads the answer.
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = body === null ? '' : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json' }).end(text);
}
