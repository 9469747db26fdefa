import type { PeerCertificate } from '#libs/contracts';
import { generateKeyPairSync } from 'node:crypto';
import type { CoordinatorLink } from '../link/coordinator-link.js';

/** What one end of a connection between agents shows and demands. */
export interface PeerCredentials {
  /** PEM, all of them. */
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
  readonly minVersion: 'TLSv1.3';
}

/** The key pair of this process, and the certificate that the coordinator made out to it. The key is never written down. */
export class PeerIdentity {
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  #certificate: PeerCertificate | null = null;

  constructor(private readonly link: CoordinatorLink) {}

  /** Also renews it. */
  async obtain(signal: AbortSignal): Promise<PeerCredentials> {
    const publicKey = this.#keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    this.#certificate = await this.link.peerCertificate({ publicKey }, signal);
    return this.credentials;
  }

  /** Throws before `obtain` has. */
  get credentials(): PeerCredentials {
    if (this.#certificate === null) throw new Error('the agent has no certificate yet');
    const { certificate, ca } = this.#certificate;
    const key = this.#keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { key, cert: certificate, ca, minVersion: 'TLSv1.3' };
  }
}
