import type { PeerAddress } from '#libs/contracts';
import { Unreachable } from '#libs/http-client';
import { connect } from 'node:net';
import type { Logger } from 'pino';
import type { AreaDesk } from '../areas/area-desk.js';
import { CheckpointServer } from './checkpoint-server.js';
import { ConfigError, type PeerListen } from '../config.js';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import type { LateCopies } from '../replicas/late-copies.js';
import { PeerIdentity, type PeerCredentials } from './peer-identity.js';

export interface PeersOptions {
  readonly link: CoordinatorLink;
  readonly desk: AreaDesk;
  readonly lateCopies: LateCopies;
  readonly listen: PeerListen;
  /** Its address says by which of this host's own it is reached. */
  readonly coordinatorUrl: string;
  readonly log: Logger;
}

/** A certificate holds for thirty days. */
const RENEWAL_MS = 86_400_000;
const REDEEM_MS = 30_000;

/** What this agent is to the others: where they fetch checkpoints, and as whom it fetches theirs. */
export class Peers {
  readonly #identity: PeerIdentity;
  #server: CheckpointServer | null = null;
  #address: PeerAddress | null = null;
  #renewal: NodeJS.Timeout | null = null;

  constructor(private readonly options: PeersOptions) {
    this.#identity = new PeerIdentity(options.link);
  }

  get credentials(): PeerCredentials {
    return this.#identity.credentials;
  }

  /** Once there is a coordinator. Resolves to where others reach this agent; `null`: they are not to. Throws where the address cannot be listened on. */
  async start(signal: AbortSignal): Promise<PeerAddress | null> {
    const { listen, desk, lateCopies, link, log } = this.options;
    if (listen.kind === 'off') return null;
    if (this.#address !== null) return this.#address;
    const credentials = await this.#identity.obtain(signal);
    const server = new CheckpointServer(
      {
        desk,
        lateCopies,
        redeem: async (ticket) => await link.redeem(ticket, AbortSignal.timeout(REDEEM_MS)),
        log,
      },
      credentials,
    );
    const { host, port } =
      listen.kind === 'auto'
        ? { host: await ownAddress(this.options.coordinatorUrl, signal), port: 0 }
        : listen;
    this.#address = await listenOn(server, host, port);
    this.#server = server;
    this.#renewal = setInterval(() => void this.#renew(signal), RENEWAL_MS).unref();
    log.info({ ...this.#address }, 'other agents fetch checkpoints here');
    return this.#address;
  }

  async stop(): Promise<void> {
    if (this.#renewal !== null) clearInterval(this.#renewal);
    await this.#server?.stop();
  }

  async #renew(signal: AbortSignal): Promise<void> {
    try {
      this.#server?.renew(await this.#identity.obtain(signal));
    } catch (error) {
      this.options.log.warn({ err: error }, 'certificate not renewed; tomorrow again');
    }
  }
}

async function listenOn(server: CheckpointServer, host: string, port: number): Promise<PeerAddress> {
  try {
    return await server.listen(host, port);
  } catch (error) {
    throw new ConfigError([
      `DISTROFARM_AGENT_PEER_LISTEN: cannot listen on ${host}:${port}: ${(error as Error).message}; expected an address of this host and a free port`,
    ]);
  }
}

/** The one of this host's addresses by which it reaches the coordinator: other agents of the farm are likely to reach it there. */
async function ownAddress(coordinatorUrl: string, signal: AbortSignal): Promise<string> {
  if (coordinatorUrl.startsWith('unix:')) return '127.0.0.1';
  const { hostname, port, protocol } = new URL(coordinatorUrl);
  const socket = connect({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port === '' ? (protocol === 'https:' ? 443 : 80) : port),
    signal,
  });
  return await new Promise((resolve, reject) => {
    socket.once('error', (error) =>
      reject(new Unreachable(`cannot reach ${coordinatorUrl}: ${error.message}`, null, { cause: error })),
    );
    socket.once('connect', () => {
      const { localAddress } = socket;
      socket.destroy();
      resolve(localAddress ?? '127.0.0.1');
    });
  });
}
