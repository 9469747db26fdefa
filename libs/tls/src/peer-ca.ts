import { createPublicKey } from 'node:crypto';
import { formatKeyed, parseKeyed, type Keyed } from './keyed.js';

export interface PeerCertificate {
  /** PEM. */
  readonly certificate: string;
  /** Milliseconds since 1970. */
  readonly validUntil: number;
}

/** The authority by which the agents of a farm know each other. It is kept where all coordinators of the farm see it, as one text. */
export class PeerCa {
  constructor(private readonly ca: Keyed) {}

  /** Throws where the text is not what `makePeerCa` gave. */
  static parse(text: string): PeerCa {
    return new PeerCa(parseKeyed(text));
  }

  /** PEM; public. */
  get certificate(): string {
    return this.ca.certificate.toString();
  }

  /** Throws a RangeError unless the key is an elliptic one of P-256 in PEM. `name` is letters, digits and `-`. */
  async issue(name: string, publicKey: string, now: number): Promise<PeerCertificate> {
    if (!/^[A-Za-z0-9-]{1,64}$/.test(name)) throw new RangeError(`"${name}" cannot be the name of a peer`);
    const { makePeerCertificate } = await import('./certificates.js');
    const certificate = await makePeerCertificate(this.ca, name, readPublicKey(publicKey), now);
    return { certificate: certificate.toString(), validUntil: Date.parse(certificate.validTo) };
  }
}

/** A new authority, as the text that `PeerCa.parse` reads. Whoever has it can be any agent of the farm. */
export async function makePeerCa(now: number): Promise<string> {
  const { makeCa } = await import('./certificates.js');
  return formatKeyed(await makeCa(now));
}

function readPublicKey(pem: string) {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch {
    // Said below.
  }
  throw new RangeError('expected the public key of an elliptic curve P-256, as PEM');
}
