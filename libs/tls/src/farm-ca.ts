import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatKeyed, parseKeyed, type Keyed } from './keyed.js';
import { parseServerNames, type ServerName } from './server-names.js';
import { writePrivate } from './write-private.js';

/** A certificate is renewed when it has less than this left: whoever restarts the coordinator each month never meets the end. */
const RENEW_BEFORE_MS = 60 * 86_400_000;

export interface ServerCertificate {
  /** PEM: the server's certificate, then the CA's, as a server presents them. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly validUntil: number;
}

/** The file is not what this program wrote. */
export class FarmCaUnreadable extends Error {
  override readonly name = 'FarmCaUnreadable';
  readonly code = 'FARM_CA_UNREADABLE';
  readonly hint =
    'Restore it from a backup. If there is none, remove it: a new authority is made, and every agent has to enrol again.';
}

/**
 * The farm's own certificate authority. In its folder: `farm-ca.pem` (key and certificate; whoever has it can be the farm) and `server.pem`
 * (the same of the last server certificate), both readable to their owner only.
 */
export class FarmCa {
  constructor(
    private readonly folder: string,
    private readonly ca: Keyed,
    private readonly now: () => number,
  ) {}

  /** PEM; public. */
  get certificate(): string {
    return this.ca.certificate.toString();
  }

  /** `sha256:` and 64 hex digits, over the certificate's DER. */
  get fingerprint(): string {
    return `sha256:${createHash('sha256').update(this.ca.certificate.raw).digest('hex')}`;
  }

  /**
   * For these DNS names and IP addresses; the one of the last time, as long as it is for the same names and not near its end. Call it each day
   * in a process that runs for long. Throws a RangeError for a name that is none.
   */
  async issueServerCertificate(names: readonly string[]): Promise<ServerCertificate> {
    const wanted = parseServerNames(names);
    const path = join(this.folder, 'server.pem');
    const last = await readKeyed(path);
    if (last !== null && this.#isGood(last, wanted)) return this.#served(last);
    const { makeServerCertificate } = await loadCertificates();
    const next = await makeServerCertificate(this.ca, wanted, this.now());
    await writePrivate(path, formatKeyed(next), 'replace');
    return this.#served(next);
  }

  #isGood({ certificate }: Keyed, wanted: readonly ServerName[]): boolean {
    return (
      certificate.verify(this.ca.certificate.publicKey) &&
      Date.parse(certificate.validTo) - this.now() > RENEW_BEFORE_MS &&
      sameNames(certificate.subjectAltName ?? '', wanted)
    );
  }

  #served({ certificate, key }: Keyed): ServerCertificate {
    return {
      chain: certificate.toString() + this.certificate,
      key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
      validUntil: Date.parse(certificate.validTo),
    };
  }
}

/**
 * Opens the authority in `folder`, which is made with it at the first use; two processes at the same moment get the same one. It is valid
 * for ten years and never replaced, since agents trust it by its fingerprint. Throws FarmCaUnreadable.
 */
export async function openFarmCa(folder: string, now: () => number = Date.now): Promise<FarmCa> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'farm-ca.pem');
  const text = await readIfThere(path);
  if (text === null) {
    const { makeCa } = await loadCertificates();
    await writePrivate(path, formatKeyed(await makeCa(now())), 'keep');
    return openFarmCa(folder, now);
  }
  try {
    return new FarmCa(folder, parseKeyed(text), now);
  } catch (error) {
    throw new FarmCaUnreadable(`"${path}" holds no certificate authority: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Late, since it takes half a second, and certificates are made once a year. */
const loadCertificates = () => import('./certificates.js');

/** `null` also for a file that is damaged: a server certificate is simply made again. */
async function readKeyed(path: string): Promise<Keyed | null> {
  const text = await readIfThere(path);
  if (text === null) return null;
  try {
    return parseKeyed(text);
  } catch {
    return null;
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** OpenSSL spells IPv6 addresses its own way, so they are compared by what they mean. */
function sameNames(subjectAltName: string, wanted: readonly ServerName[]): boolean {
  const has = subjectAltName.split(', ').map((name) => {
    const [type = '', ...value] = name.split(':');
    return type === 'DNS' ? `dns:${value.join(':')}` : `ip:${canonicalAddress(value.join(':'))}`;
  });
  const want = wanted.map(({ type, value }) => `${type}:${type === 'ip' ? canonicalAddress(value) : value}`);
  return has.sort().join() === want.sort().join();
}

function canonicalAddress(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]`).hostname : address;
}
