import type { AgentId, AskTransfer, RedeemedTicket } from '#libs/contracts';
import { ApiError } from '#libs/http-client';
import type { PeerCa } from '#libs/tls';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { PeerCredentials } from './peer-identity.js';

/** What the coordinator decides of transfers: see test/flow/farm-resume-elsewhere.spec.ts for the real one. */
export class TransferTickets {
  readonly asked: AskTransfer[] = [];
  readonly sources: { agent: AgentId; port: number }[] = [];
  readonly #open = new Map<string, RedeemedTicket>();
  maxBytes = 1e9;

  constructor(private readonly receiver: AgentId) {}

  issue(transfer: RedeemedTicket): string {
    const ticket = `dfm_${randomBytes(8).toString('hex')}`;
    this.#open.set(ticket, transfer);
    return ticket;
  }

  readonly redeem = (ticket: string): Promise<RedeemedTicket> => {
    const transfer = this.#open.get(ticket);
    this.#open.delete(ticket);
    return transfer === undefined ? Promise.reject(apiError(403)) : Promise.resolve(transfer);
  };

  readonly askTransfer = (ask: AskTransfer) => {
    this.asked.push(ask);
    const source = this.sources.find(({ agent }) => !ask.without.includes(agent));
    if (source === undefined) return Promise.reject(apiError(404));
    const { area, checkpoint, base } = ask;
    return Promise.resolve({
      ticket: this.issue({ receiver: this.receiver, area, checkpoint, base }),
      source: { agent: source.agent, name: source.agent, address: { host: '127.0.0.1', port: source.port } },
      maxBytes: this.maxBytes,
    });
  };
}

/** An agent's, issued by one authority; it trusts another, or the same. */
export async function peerCredentials(by: PeerCa, agent: string, trusted = by): Promise<PeerCredentials> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const { certificate } = await by.issue(agent, pem, Date.now());
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: certificate,
    ca: trusted.certificate,
    minVersion: 'TLSv1.3',
  };
}

function apiError(status: number): ApiError {
  return new ApiError(status === 404 ? 'NOT_FOUND' : 'FORBIDDEN', status, 'no', null, [], null);
}
