import { createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { Unreachable, unreachableBy } from './unreachable.js';

const CONNECT_TIMEOUT_MS = 30_000;
/** A longer chain is not ours. */
const MAX_CHAIN = 10;

/** What answers is not the farm that the fingerprint stands for. */
export class WrongFarmCa extends Error {
  override readonly name = 'WrongFarmCa';
  readonly code = 'WRONG_FARM_CA';
  readonly hint =
    'Take the fingerprint from `distrofarm agents enrol` again. If it is the same, somebody else answers at this address.';
}

/**
 * The certificate (PEM) of the farm's own certificate authority, taken from the chain that the server at `url` (https) presents and proven by
 * `fingerprint`: `sha256:` and 64 hex digits, over the certificate's DER. Nothing is sent to the server but the handshake. Throws WrongFarmCa
 * when no certificate of the chain has that fingerprint or the server's is not signed by it, Unreachable when there is no TLS server.
 */
export async function fetchFarmCa(url: string, fingerprint: string): Promise<string> {
  const { protocol, hostname, port, host } = new URL(url);
  if (protocol !== 'https:') throw new TypeError(`expected an https:// address, got "${url}"`);
  if (!/^sha256:[0-9a-f]{64}$/.test(fingerprint)) {
    throw new TypeError('expected a fingerprint of the form "sha256:" and 64 hex digits in lower case');
  }
  const chain = await presentedChain(
    hostname.replace(/^\[|\]$/g, ''),
    port === '' ? 443 : Number(port),
    host,
  );
  const [leaf] = chain;
  const found = chain.find((certificate) => fingerprintOf(certificate) === fingerprint);
  if (leaf === undefined || found === undefined) throw wrongFingerprint(host, fingerprint, chain);
  if (!found.ca || !leaf.checkIssued(found) || !leaf.verify(found.publicKey)) {
    throw new WrongFarmCa(`the certificate of ${host} is not signed by the authority ${fingerprint}`);
  }
  return found.toString();
}

/** Leaf first. The handshake proves that the server has the leaf's key; nothing else is believed. */
function presentedChain(host: string, port: number, where: string): Promise<readonly X509Certificate[]> {
  return new Promise((resolve, reject) => {
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket = connect({
      host,
      port,
      ...servername,
      rejectUnauthorized: false,
      timeout: CONNECT_TIMEOUT_MS,
    });
    socket.once('secureConnect', () => {
      const chain = chainOf(socket.getPeerCertificate(true));
      socket.destroy();
      resolve(chain);
    });
    socket.once('timeout', () => {
      socket.destroy(
        new Unreachable(`cannot reach ${where}: no answer`, 'Check the address and the firewall.'),
      );
    });
    socket.once('error', (error: Error) => reject(unreachableBy(error, where)));
    socket.once('close', () =>
      reject(new Unreachable(`cannot reach ${where}: it closed the connection`, 'Is it a TLS server?')),
    );
  });
}

function chainOf(leaf: DetailedPeerCertificate): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<Partial<DetailedPeerCertificate>>();
  // A self-signed certificate is its own issuer; a chain without its end has none.
  let next: Partial<DetailedPeerCertificate> | undefined = leaf;
  while (next?.raw !== undefined && !seen.has(next) && chain.length < MAX_CHAIN) {
    seen.add(next);
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate;
  }
  return chain;
}

function fingerprintOf(certificate: X509Certificate): string {
  return `sha256:${createHash('sha256').update(certificate.raw).digest('hex')}`;
}

function wrongFingerprint(host: string, wanted: string, chain: readonly X509Certificate[]): WrongFarmCa {
  const last = chain.at(-1);
  const has = last === undefined ? 'presents no certificate' : `has the authority ${fingerprintOf(last)}`;
  return new WrongFarmCa(`${host} ${has}, expected ${wanted}`);
}
