import {
  POSITION_HEADER,
  StreamPosition,
  type PeerAddress,
  type Preface,
  type RedeemedTicket,
} from '#libs/contracts';
import { SnapshotStoreError } from '#libs/engine';
import { ApiError } from '#libs/http-client';
import type { Checkpoint } from '#libs/plan';
import { giveBack } from '#libs/snapshots';
import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { AreaDesk, EnteredArea } from '../areas/area-desk.js';
import type { LateCopies } from '../replicas/late-copies.js';
import { Pace } from './pace.js';
import type { PeerCredentials } from './peer-identity.js';

export interface CheckpointServerOptions {
  readonly desk: AreaDesk;
  readonly lateCopies: Pick<LateCopies, 'has'>;
  /** Asks the coordinator what the ticket is for, which uses it up. Throws ApiError. */
  readonly redeem: (ticket: string) => Promise<RedeemedTicket>;
  readonly log: Logger;
  /** A connection on which nothing moved for so long is cut. */
  readonly stallMs?: number;
}

const STALL_MS = 60_000;
/** More would only be slower for each. */
const MOST_STREAMS = 8;

/**
 * Sends checkpoints to other agents of the farm: to whoever has a certificate of its peer CA and a ticket that is made out to the same agent. See libs/contracts
 * checkpoint-transfer.ts.
 */
export class CheckpointServer {
  readonly #server: Server;
  #streams = 0;

  constructor(
    private readonly options: CheckpointServerOptions,
    credentials: PeerCredentials,
  ) {
    this.#server = createServer(
      { ...credentials, requestCert: true, rejectUnauthorized: true },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.timeout = options.stallMs ?? STALL_MS;
    // Whoever cannot even shake hands is no business of anybody's.
    this.#server.on('tlsClientError', () => undefined);
  }

  /** Throws where the address cannot be listened on. */
  async listen(host: string, port: number): Promise<PeerAddress> {
    this.#server.listen({ host, port });
    await once(this.#server, 'listening');
    return { host, port: (this.#server.address() as AddressInfo).port };
  }

  renew(credentials: PeerCredentials): void {
    this.#server.setSecureContext(credentials);
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { log } = this.options;
    this.#streams += 1;
    try {
      request.resume();
      if (this.#streams > MOST_STREAMS) throw new Refusal(503, 'too many transfers at once');
      const transfer = await this.#redeem(request);
      const area = await this.options.desk.visit(transfer.area);
      try {
        await this.#send(area, transfer, positionIn(request), response);
      } finally {
        await area.leave();
      }
      log.info({ ...transfer }, 'checkpoint sent');
    } catch (error) {
      log.warn({ err: error }, 'checkpoint not sent');
      refuse(response, error);
    } finally {
      this.#streams -= 1;
    }
  }

  async #redeem(request: IncomingMessage): Promise<RedeemedTicket> {
    const ticket = /^Bearer (\S{1,200})$/.exec(request.headers.authorization ?? '')?.[1];
    if (request.method !== 'POST' || ticket === undefined) throw new Refusal(401, 'a ticket is needed');
    const transfer = await this.options.redeem(ticket);
    // A ticket that was stolen is of no use to another agent.
    if (transfer.receiver === receiverOf(request)) return transfer;
    throw new Refusal(403, 'the ticket is for another agent');
  }

  async #send(
    { store }: EnteredArea,
    { area, checkpoint, base, background }: RedeemedTicket,
    position: string | null,
    response: ServerResponse,
  ): Promise<void> {
    const here = await store.list(checkpoint.workspace);
    const sent = find(here, checkpoint);
    const beside = base?.workspace === checkpoint.workspace;
    const from = base === null ? null : findBase(beside ? here : await store.list(base.workspace), base);
    const bytes = await store.estimateSend(sent, from);
    const rest = position === null ? null : await store.sendRest(sent, from, position);
    const stream = rest ?? (await store.send(sent, from));
    const hash = createHash('sha256');
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    const goesOn = rest === null || position === null ? {} : { position };
    const preface = encodePreface({ facts: sent.facts, bytes, ...goesOn });
    hash.update(preface);
    response.write(preface);
    const { desk, lateCopies } = this.options;
    const isBusy = (): boolean => desk.isBusy && !lateCopies.has(area);
    const pace = background === true ? [new Pace({ isBusy })] : [];
    await pipeline([stream, ...pace, hashedInto(response, hash)]);
    response.end(hash.digest());
    await once(response, 'close');
  }
}

function find(here: readonly Checkpoint[], wanted: RedeemedTicket['checkpoint']): Checkpoint {
  const { id, label, workspace } = wanted;
  const found = here.find((each) => each.id === id && each.label === label);
  if (found !== undefined) return found;
  throw new SnapshotStoreError('NOT_FOUND', `the checkpoint ${label} of ${workspace} is not here`);
}

/** The receiver can do without a base, by asking for all of it. */
function findBase(here: readonly Checkpoint[], base: RedeemedTicket['checkpoint']): Checkpoint {
  try {
    return find(here, base);
  } catch (error) {
    if (error instanceof SnapshotStoreError && error.code === 'NOT_FOUND')
      throw new Refusal(409, error.message);
    throw error;
  }
}

class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const message = error instanceof Error ? error.message : String(error);
  response.writeHead(statusOf(error), { 'content-type': 'application/json' });
  response.end(JSON.stringify({ message }));
}

function statusOf(error: unknown): number {
  if (error instanceof Refusal) return error.status;
  if (error instanceof ApiError && error.status < 500) return 403;
  if (error instanceof SnapshotStoreError && error.code === 'NOT_FOUND') return 404;
  return 503;
}

/** A receiver that asks for something else gets all of it. */
function positionIn({ headers }: IncomingMessage): string | null {
  return StreamPosition.safeParse(headers[POSITION_HEADER]).data ?? null;
}

function receiverOf({ socket }: IncomingMessage): unknown {
  return (socket as TLSSocket).getPeerCertificate().subject.CN;
}

function encodePreface(preface: Preface): Buffer {
  const json = Buffer.from(JSON.stringify(preface));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json]);
}

/** What is written there, piece by piece: each is given back before the next is taken. */
function hashedInto(response: ServerResponse, hash: Hash): Writable {
  const out = new Writable({
    objectMode: true,
    highWaterMark: 1,
    write: (piece: Buffer, _, done) => {
      hash.update(piece);
      response.write(piece, (error) => {
        giveBack(piece);
        done(error);
      });
    },
  });
  response.once('close', () => out.destroy(new Error('the receiver hung up')));
  return out;
}
