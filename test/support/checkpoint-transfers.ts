import type { AgentId } from '#libs/contracts';
import type { Checkpoint } from '#libs/plan';
import type { Areas } from '#libs/snapshots';
import { makePeerCa, PeerCa } from '#libs/tls';
import { once } from 'node:events';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { request } from 'node:https';
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { pino } from 'pino';
import { AreaDesk, type EnteredArea } from '../../apps/agent/src/areas/area-desk.js';
import { fetchCheckpoint, type Fetched } from '../../apps/agent/src/transfers/checkpoint-fetcher.js';
import { CheckpointServer } from '../../apps/agent/src/transfers/checkpoint-server.js';
import { LateCopies } from '../../apps/agent/src/replicas/late-copies.js';
import { holdingOf } from '../../apps/agent/src/attempts/note-event.js';
import { peerCredentials, TransferTickets } from '../../apps/agent/src/transfers/testing.js';

export const TRANSFER_AREA = 'b-0123456789.default';
const [SOURCE, RECEIVER, LIAR] = ['a-0000000001', 'a-0000000002', 'a-0000000003'] as [
  AgentId,
  AgentId,
  AgentId,
];
export const AGENTS = { SOURCE, RECEIVER, LIAR };
const log = pino({ level: 'silent' });

/** What one agent sends another, the coordinator's part played: both ends are the agents' own, on stores of the caller's. */
export class CheckpointTransfers {
  /** What the receiver noted of transfers that failed. */
  readonly failures: string[] = [];
  readonly tickets = new TransferTickets(RECEIVER);
  /** Of the stream that is on its way, so far. */
  bytes = 0;
  /** Of those, what had come before that. */
  earlierBytes = 0;
  /** Of the answer to a ticket that was shown. */
  shownBytes = 0;
  #server!: CheckpointServer;
  #port = 0;
  readonly #closing: (HttpsServer | Server)[] = [];

  private constructor(
    private readonly ca: PeerCa,
    readonly here: EnteredArea,
    readonly there: EnteredArea,
  ) {}

  static async between(hereAreas: Areas, thereAreas: Areas): Promise<CheckpointTransfers> {
    const ca = PeerCa.parse(await makePeerCa(Date.now()));
    const desk = new AreaDesk(hereAreas, log);
    const here = await desk.enter(TRANSFER_AREA);
    const there = await new AreaDesk(thereAreas, log).enter(TRANSFER_AREA);
    const made = new CheckpointTransfers(ca, here, there);
    const credentials = await peerCredentials(ca, SOURCE);
    made.#server = new CheckpointServer(
      { desk, lateCopies: new LateCopies(), redeem: made.tickets.redeem, log },
      credentials,
    );
    made.#port = (await made.#server.listen('127.0.0.1', 0)).port;
    made.tickets.sources.push({ agent: SOURCE, port: made.#port });
    return made;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    for (const each of this.#closing.splice(0)) each.close();
    await this.there.leave();
    await this.here.leave();
  }

  async fetch(checkpoint: Checkpoint, base: Checkpoint | null): Promise<Fetched | null> {
    const credentials = await peerCredentials(this.ca, RECEIVER);
    [this.bytes, this.earlierBytes] = [0, 0];
    const holding = holdingOf(checkpoint);
    if (holding === null) throw new TypeError('the checkpoint has no facts');
    return await fetchCheckpoint(this.there, TRANSFER_AREA, holding, base, {
      link: this.tickets,
      credentials: () => credentials,
      onProgress: ({ bytes, earlierBytes = 0 }) => {
        this.bytes = bytes;
        this.earlierBytes = earlierBytes;
      },
      progressMs: 20,
      onFailure: ({ message }) => void this.failures.push(message),
      signal: new AbortController().signal,
    });
  }

  /** Shows the source a ticket as an agent would. Resolves to the answer's status. */
  async show(ticket: string, agent: AgentId = RECEIVER, headers: OutgoingHttpHeaders = {}): Promise<number> {
    const call = request({
      ...(await peerCredentials(this.ca, agent)),
      host: '127.0.0.1',
      port: this.#port,
      method: 'POST',
      agent: false,
      checkServerIdentity: () => undefined,
      headers: { authorization: `Bearer ${ticket}`, ...headers },
    });
    call.end();
    return await new Promise((resolve, reject) => {
      call.once('error', reject);
      call.once('response', (response) => {
        response.on('error', () => undefined);
        this.shownBytes = 0;
        response.on('data', (bytes: Buffer) => void (this.shownBytes += bytes.length));
        response.once('close', () => resolve(response.statusCode ?? 0));
      });
    });
  }

  /** The next stream stops when so many bytes of it have passed, until it is let go on. */
  async holdAfter(limit: number): Promise<{ readonly held: Promise<void>; readonly letGo: () => void }> {
    let letGo = (): void => undefined;
    let resolveHeld = (): void => undefined;
    const held = new Promise<void>((resolve) => (resolveHeld = resolve));
    let count = 0;
    const between = createServer((client) => {
      const source = connect(this.#port, '127.0.0.1');
      for (const each of [client, source]) each.on('error', () => undefined);
      client.once('close', () => source.destroy());
      source.once('close', () => client.end());
      client.pipe(source);
      count += 1;
      if (count > 1) {
        source.pipe(client);
        return;
      }
      let seen = 0;
      const pass = (bytes: Buffer): void => {
        client.write(bytes);
        seen += bytes.length;
        if (seen < limit) return;
        source.pause().off('data', pass);
        letGo = () => void source.pipe(client);
        resolveHeld();
      };
      source.on('data', pass);
    });
    between.listen(0, '127.0.0.1');
    await once(between, 'listening');
    this.#closing.push(between);
    this.tickets.sources.splice(0, 1, { agent: SOURCE, port: (between.address() as AddressInfo).port });
    return { held, letGo: () => letGo() };
  }

  /** The next streams are cut when so many bytes of them have passed, one after the other. */
  async cutAfter(...limits: readonly number[]): Promise<void> {
    const left = [...limits];
    const between = createServer((client) => {
      const source = connect(this.#port, '127.0.0.1');
      for (const each of [client, source]) each.on('error', () => undefined);
      client.once('close', () => source.destroy());
      source.once('close', () => client.end());
      client.pipe(source);
      const limit = left.shift() ?? Infinity;
      let seen = 0;
      source.on('data', (bytes: Buffer) => {
        seen += bytes.length;
        if (seen < limit) client.write(bytes);
        else client.destroy();
      });
    });
    between.listen(0, '127.0.0.1');
    await once(between, 'listening');
    this.#closing.push(between);
    this.tickets.sources.splice(0, 1, { agent: SOURCE, port: (between.address() as AddressInfo).port });
  }

  /** An agent of the farm that is asked before the source, and sends whatever it likes; asked again, it has nothing. */
  async lieFirst(answer: (response: ServerResponse) => void): Promise<void> {
    const credentials = await peerCredentials(this.ca, LIAR);
    let count = 0;
    const lying = createHttpsServer({ ...credentials, requestCert: true }, (_, response) => {
      count += 1;
      response.writeHead(count === 1 ? 200 : 404);
      if (count > 1) {
        response.end();
        return;
      }
      answer(response);
    });
    lying.listen(0, '127.0.0.1');
    await once(lying, 'listening');
    this.#closing.push(lying);
    this.tickets.sources.unshift({ agent: LIAR, port: (lying.address() as AddressInfo).port });
  }
}
