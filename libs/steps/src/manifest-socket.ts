import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Answers one request of a script. `byKey`: the request is a key of `key_value_pairs`. */
export type AnswerQuery = (request: string, byKey: boolean) => QueryAnswer;

export type QueryAnswer =
  | { readonly kind: 'values'; readonly values: readonly string[] }
  /** The script may not ask this; it gets the reason instead of an answer. */
  | { readonly kind: 'refused'; readonly reason: string };

const FOLDER_PREFIX = 'distro_const-';
const SOCKET_NAME = 'manifest';

const PRE_REQUEST_BYTES = 8;
const PRE_REQUEST_ACK = '\x01';
const REQUEST_COMPLETE = '\x02';
const EMPTY_VALUE = '\x03';
const PARAMETERS_RECEIVED = 0x04;
const END_OF_SESSION = 0x05;

/**
 * Serves a manifest's values on a Unix socket in the protocol of Solaris' ManifestServ, so that original finalizer scripts and clients
 * run unchanged:
 *
 *     client  8 bytes: `0` or `1` (is it a key?), a blank, the request's length in six digits
 *     server  0x01
 *     client  the request
 *     server  `count,size`, size counting everything sent below
 *     client  0x04
 *     server  each value and a NUL (0x03 stands for an empty one), then 0x02; nothing when count is 0
 *     client  the next request, or 0x05
 *
 * A refused request gets `refused: <reason>` in place of `count,size` and the connection is closed.
 */
export class ManifestSocket {
  private constructor(
    /** What scripts get as their first argument. Reachable by root only: its folder has mode 0700. */
    readonly path: string,
    private readonly folder: string,
    private readonly server: Server,
    private readonly connections: Set<Socket>,
  ) {}

  static async open(answer: AnswerQuery): Promise<ManifestSocket> {
    const folder = await mkdtemp(join(tmpdir(), FOLDER_PREFIX));
    await chmod(folder, 0o700);
    const path = join(folder, SOCKET_NAME);
    const connections = new Set<Socket>();
    const server = createServer((socket) => {
      connections.add(socket);
      socket.on('close', () => connections.delete(socket));
      serve(socket, answer);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    return new ManifestSocket(path, folder, server, connections);
  }

  async close(): Promise<void> {
    for (const socket of this.connections) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Removes what processes that were killed have left: sockets on which nobody listens any more. */
export async function removeDeadManifestSockets(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(FOLDER_PREFIX)) continue;
    const folder = join(tmpdir(), name);
    if (await isRefused(join(folder, SOCKET_NAME))) await rm(folder, { recursive: true, force: true });
  }
}

async function isRefused(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    // Without a socket it is one that is being opened.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}

/** Where a session stands between two pieces of input. */
type Expecting =
  | { readonly kind: 'pre-request' }
  | { readonly kind: 'request'; readonly byKey: boolean; readonly bytes: number }
  | { readonly kind: 'go-ahead'; readonly values: Buffer };

function serve(socket: Socket, answer: AnswerQuery): void {
  let expecting: Expecting = { kind: 'pre-request' };
  let pending = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes) => {
    pending = Buffer.concat([pending, bytes]);
    for (;;) {
      const step = advance(expecting, pending, answer);
      if (step === null) return;
      if (step.reply.length > 0) socket.write(step.reply);
      if (step.next === null) {
        socket.end();
        return;
      }
      expecting = step.next;
      pending = pending.subarray(step.consumed);
    }
  });
}

interface Advance {
  readonly consumed: number;
  readonly reply: Buffer | string;
  /** `null`: the session is over. */
  readonly next: Expecting | null;
}

/** `null`: more input is needed. */
function advance(expecting: Expecting, input: Buffer, answer: AnswerQuery): Advance | null {
  switch (expecting.kind) {
    case 'pre-request':
      return readPreRequest(input);
    case 'request':
      return input.length < expecting.bytes ? null : reply(expecting, input, answer);
    case 'go-ahead':
      if (input.length === 0) return null;
      if (input[0] !== PARAMETERS_RECEIVED) return { consumed: 0, reply: '', next: null };
      return { consumed: 1, reply: expecting.values, next: { kind: 'pre-request' } };
  }
}

function readPreRequest(input: Buffer): Advance | null {
  if (input[0] === END_OF_SESSION) return { consumed: 1, reply: '', next: null };
  if (input.length < PRE_REQUEST_BYTES) return null;
  const match = /^([01]) (\d{6})$/.exec(input.subarray(0, PRE_REQUEST_BYTES).toString('latin1'));
  if (match === null) return { consumed: 0, reply: 'refused: not a ManifestRead request', next: null };
  const next: Expecting = { kind: 'request', byKey: match[1] === '1', bytes: Number(match[2]) };
  return { consumed: PRE_REQUEST_BYTES, reply: PRE_REQUEST_ACK, next };
}

function reply(
  expecting: Extract<Expecting, { kind: 'request' }>,
  input: Buffer,
  answer: AnswerQuery,
): Advance {
  const consumed = expecting.bytes;
  const answered = answer(input.subarray(0, consumed).toString(), expecting.byKey);
  if (answered.kind === 'refused') return { consumed, reply: `refused: ${answered.reason}\n`, next: null };
  const { values } = answered;
  const encoded = values.map((value) => `${value === '' ? EMPTY_VALUE : value}\0`).join('');
  const body = values.length === 0 ? Buffer.alloc(0) : Buffer.from(encoded + REQUEST_COMPLETE);
  return { consumed, reply: `${values.length},${body.length}`, next: { kind: 'go-ahead', values: body } };
}
