// Needs root (the store keeps owners).
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { AgentId, RedeemedTicket } from '#libs/contracts';
import { encodeFacts, factsAt, type Checkpoint } from '#libs/plan';
import { DirectoryAreas } from '#libs/snapshots';
import { makePeerCa, PeerCa } from '#libs/tls';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request, createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { planOf } from '../../../../libs/plan/src/testing.js';
import { AreaDesk, type EnteredArea } from '../areas/area-desk.js';
import {
  fetchCheckpoint,
  type FetchOptions,
  type Fetched,
  type TransferProgress,
} from './checkpoint-fetcher.js';
import { CheckpointServer } from './checkpoint-server.js';
import { LateCopies } from '../replicas/late-copies.js';
import { holdingOf } from '../attempts/note-event.js';
import type { PeerCredentials } from './peer-identity.js';
import { peerCredentials, TransferTickets } from './testing.js';

jest.setTimeout(60_000);

const AREA = 'b-0123456789.default';
const [SOURCE, RECEIVER, OTHER] = ['a-0000000001', 'a-0000000002', 'a-0000000003'] as [
  AgentId,
  AgentId,
  AgentId,
];
const log = pino({ level: 'silent' });
const plan = planOf(['a', 'b']);
const [first] = plan.boundaries;

let ca: PeerCa;
let foreignCa: PeerCa;
beforeAll(async () => {
  ca = PeerCa.parse(await makePeerCa(Date.now()));
  foreignCa = PeerCa.parse(await makePeerCa(Date.now()));
});

async function credentialsOf(agent: string, by: PeerCa = ca): Promise<PeerCredentials> {
  return await peerCredentials(by, agent, ca);
}

describe('a checkpoint on its way from agent to agent', () => {
  let folder: string;
  let here: EnteredArea;
  let there: EnteredArea;
  let server: CheckpointServer;
  let tickets: TransferTickets;
  let port: number;
  let checkpoint: Checkpoint;
  const failures: string[] = [];
  const progress: TransferProgress[] = [];
  const closing: (HttpsServer | Server)[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'transfer-'));
    const areas = async (name: string): Promise<AreaDesk> => {
      const made = new DirectoryAreas({ root: join(folder, name), layout: [] });
      await made.prepare();
      return new AreaDesk(made, log);
    };
    const desk = await areas('here');
    here = await desk.enter(AREA);
    there = await (await areas('there')).enter(AREA);
    tickets = new TransferTickets(RECEIVER);
    server = new CheckpointServer(
      { desk, lateCopies: new LateCopies(), redeem: tickets.redeem, log, stallMs: 2000 },
      await credentialsOf(SOURCE),
    );
    ({ port } = await server.listen('127.0.0.1', 0));
    tickets.sources.push({ agent: SOURCE, port });
    const { path } = await here.store.startEmpty('build_data');
    await writeFile(join(path, 'random'), randomBytes(3_000_000));
    const facts = encodeFacts(factsAt(first!, '', plan.digests, 'g1', new Date(1000)));
    checkpoint = await here.store.take('build_data', '.step_a', facts);
    failures.length = 0;
  });
  afterEach(async () => {
    await server.stop();
    for (const each of closing.splice(0)) each.close();
    await rm(folder, { recursive: true });
  });

  async function fetch(limits: Pick<FetchOptions, 'stallMs' | 'connectMs'> = {}): Promise<Fetched | null> {
    const credentials = await credentialsOf(RECEIVER);
    return await fetchCheckpoint(there, AREA, holdingOf(checkpoint)!, null, {
      link: tickets,
      credentials: () => credentials,
      onProgress: (each) => void progress.push(each),
      progressMs: 20,
      onFailure: ({ message }) => void failures.push(message),
      signal: new AbortController().signal,
      stallMs: 2000,
      ...limits,
    });
  }

  async function ask(credentials: Partial<PeerCredentials>, ticket: string | null): Promise<number | string> {
    const call = request({
      ca: ca.certificate,
      ...credentials,
      host: '127.0.0.1',
      port,
      method: 'POST',
      agent: false,
      checkServerIdentity: () => undefined,
      headers: ticket === null ? {} : { authorization: `Bearer ${ticket}` },
    });
    call.end();
    return await new Promise((resolve) => {
      call.once('error', ({ message }) => resolve(message));
      call.once('response', (response) => {
        response.once('error', ({ message }) => resolve(message));
        response.resume();
        resolve(response.statusCode ?? 0);
      });
    });
  }

  /** In front of the source: gives the first connection to `spoil`, the others through. */
  async function proxy(spoil: (client: Socket, source: Socket) => void): Promise<void> {
    let count = 0;
    const between = createServer((client) => {
      const source = connect(port, '127.0.0.1');
      for (const each of [client, source]) each.on('error', () => undefined);
      client.once('close', () => source.destroy());
      source.once('close', () => client.destroy());
      client.pipe(source);
      count += 1;
      if (count === 1) spoil(client, source);
      else source.pipe(client);
    });
    between.listen(0, '127.0.0.1');
    await once(between, 'listening');
    closing.push(between);
    tickets.sources[0]!.port = (between.address() as AddressInfo).port;
  }

  /** An agent of the farm that sends whatever it likes. */
  async function liar(answer: Parameters<typeof createHttpsServer>[1]): Promise<void> {
    const lying = createHttpsServer({ ...(await credentialsOf(OTHER)), requestCert: true }, answer);
    lying.listen(0, '127.0.0.1');
    await once(lying, 'listening');
    closing.push(lying);
    tickets.sources.unshift({ agent: OTHER, port: (lying.address() as AddressInfo).port });
  }

  function preface(facts: object): Buffer {
    const json = Buffer.from(JSON.stringify({ facts }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(json.length);
    return Buffer.concat([length, json]);
  }

  it('arrives', async () => {
    expect(await fetch()).toMatchObject({ checkpoint, from: SOURCE });
    expect(await there.store.list('build_data')).toEqual([checkpoint]);
    expect(failures).toEqual([]);
  });

  it('tells how far it is, how fast it comes and about how much it will be', async () => {
    await proxy((client, source) => {
      source.on('data', (bytes: Buffer) => {
        client.write(bytes);
        source.pause();
        setTimeout(() => source.resume(), 10);
      });
    });
    await fetch();
    const last = progress.at(-1);
    expect(last?.from).toBe(SOURCE);
    expect(last?.bytesPerSecond).toBeGreaterThan(0);
    expect(last?.totalBytes).toBeGreaterThan(3_000_000);
    expect(last?.totalBytes).toBeLessThan(3_100_000);
    expect(last?.bytes).toBeLessThanOrEqual(3_100_000);
  });

  describe('is refused to', () => {
    const transfer = (): RedeemedTicket => ({
      receiver: RECEIVER,
      area: AREA,
      checkpoint: refOf(checkpoint),
      base: null,
    });

    it('whoever has no ticket, or one that was used', async () => {
      const own = await credentialsOf(RECEIVER);
      const ticket = tickets.issue(transfer());
      expect(await ask(own, null)).toBe(401);
      expect(await ask(own, 'dfm_guessed')).toBe(403);
      expect(await ask(own, ticket)).toBe(200);
      expect(await ask(own, ticket)).toBe(403);
    });

    it('another agent than the ticket is for', async () => {
      expect(await ask(await credentialsOf(OTHER), tickets.issue(transfer()))).toBe(403);
    });

    it('whoever is no agent of the farm', async () => {
      expect(await ask({}, tickets.issue(transfer()))).toMatch(/certificate|alert|hang up|ECONNRESET/i);
      const foreign = await credentialsOf(RECEIVER, foreignCa);
      expect(await ask(foreign, tickets.issue(transfer()))).toMatch(
        /certificate|alert|unknown ca|hang up|ECONNRESET/i,
      );
    });

    it('a ticket for what is not there', async () => {
      const own = await credentialsOf(RECEIVER);
      const other = { ...refOf(checkpoint), id: 'other' };
      expect(await ask(own, tickets.issue({ ...transfer(), checkpoint: other }))).toBe(404);
      expect(await ask(own, tickets.issue({ ...transfer(), base: other }))).toBe(409);
      const elsewhere = 'b-9876543210.default';
      expect(await ask(own, tickets.issue({ ...transfer(), area: elsewhere }))).toBe(404);
      expect(await readdir(join(folder, 'here'))).not.toContain(elsewhere);
    });
  });

  describe('arrives in the end when', () => {
    it.each([1000, 500_000, 2_900_000])('the connection is cut after %d bytes', async (limit) => {
      await proxy((client, source) => {
        let seen = 0;
        source.on('data', (bytes: Buffer) => {
          seen += bytes.length;
          if (seen < limit) client.write(bytes);
          else client.destroy();
        });
      });
      expect(await fetch()).toMatchObject({ checkpoint });
      expect(failures).toHaveLength(1);
      expect(tickets.asked).toHaveLength(2);
    });

    it.each([0, 500_000])('behind %d bytes nothing comes any more, and nobody says so', async (limit) => {
      await proxy((client, source) => {
        let seen = 0;
        source.on('data', (bytes: Buffer) => {
          seen += bytes.length;
          if (seen < limit) client.write(bytes);
          else source.pause();
        });
      });
      expect(await fetch({ stallMs: 500 })).toMatchObject({ checkpoint });
      expect(failures.join()).toMatch(/nothing came for 0.5 s/);
    });

    it('somebody listens who does not shake hands', async () => {
      await proxy((_, source) => void source.pause());
      expect(await fetch({ stallMs: 20_000, connectMs: 300 })).toMatchObject({ checkpoint });
      expect(failures.join()).toMatch(/no connection to 127.0.0.1:\d+ within 0.3 s/);
    });

    it('an agent answers that is not the one that was asked', async () => {
      await liar((_, response) => response.end('hello'));
      tickets.sources[0]!.agent = SOURCE.replace('1', '7') as AgentId;
      expect(await fetch()).toMatchObject({ checkpoint, from: SOURCE });
      expect(failures.join()).toMatch(/this is a-0000000003, not agent/);
    });

    it.each<
      [string, (answer: { write: (bytes: Buffer) => void; end: (digest: string) => void }) => void, RegExp]
    >([
      [
        'lies about its digest',
        ({ write, end }) => {
          write(preface(checkpoint.facts));
          write(Buffer.alloc(1000));
          end('f'.repeat(64));
        },
        /digest/,
      ],
      [
        'tells other facts than it told the coordinator',
        ({ write, end }) => {
          const lie = preface({ ...checkpoint.facts, build: 'g2' });
          write(lie);
          end(createHash('sha256').update(lie).digest('hex'));
        },
        /not the one that its agent told/,
      ],
      [
        'sends something else, with its right digest',
        ({ write, end }) => {
          const bytes = Buffer.concat([preface(checkpoint.facts), randomBytes(10_000)]);
          write(bytes);
          end(createHash('sha256').update(bytes).digest('hex'));
        },
        /./,
      ],
    ])('the first source %s', async (_, lie, said) => {
      await liar((__, response) => {
        lie({
          write: (bytes) => response.write(bytes),
          end: (digest) => response.end(Buffer.from(digest, 'hex')),
        });
      });
      expect(await fetch()).toMatchObject({ checkpoint, from: SOURCE });
      expect(failures[0]).toMatch(said);
      expect(await there.store.list('build_data')).toEqual([checkpoint]);
    });

    it('the first source never ends', async () => {
      tickets.maxBytes = 5_000_000;
      await liar((_, response) => {
        response.write(preface(checkpoint.facts));
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536)));
          if (!response.destroyed) response.once('drain', more);
        };
        more();
      });
      expect(await fetch()).toMatchObject({ checkpoint, from: SOURCE });
      expect(failures[0]).toBeDefined();
    });
  });

  it('is given up when nobody has it any more, which the coordinator is told', async () => {
    await here.store.destroy('build_data');
    expect(await fetch()).toBeNull();
    expect(tickets.asked.at(-1)).toMatchObject({ gone: [SOURCE], without: [SOURCE] });
    expect(await readdir(join(folder, 'there', AREA))).not.toContain('build_data');
  });
});

function refOf({ id, workspace, label }: Checkpoint): { id: string; workspace: string; label: string } {
  return { id, workspace, label };
}
