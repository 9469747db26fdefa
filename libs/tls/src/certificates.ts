import 'reflect-metadata';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { KeyObject, X509Certificate, type webcrypto } from 'node:crypto';
import type { Keyed } from './keyed.js';
import type { ServerName } from './server-names.js';

const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
/** What browsers and others accept at most. */
const SERVER_DAYS = 397;
/** A process asks for one when it starts, and again in good time. */
const PEER_DAYS = 30;
/** Certificates hold a little before they are made: clocks of agents differ. */
const SKEW_MS = DAY_MS;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A new certificate authority, whose name no other has. */
export async function makeCa(now: number): Promise<Keyed> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const mark = Buffer.from(crypto.getRandomValues(new Uint8Array(4))).toString('hex');
  const made = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=distrofarm CA ${mark}`,
    notBefore: new Date(now - SKEW_MS),
    notAfter: new Date(now + CA_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return keyed(made.rawData, keys.privateKey);
}

/** A new certificate for a server, signed by `ca`, valid for 397 days or as long as the CA. */
export async function makeServerCertificate(
  ca: Keyed,
  names: readonly ServerName[],
  now: number,
): Promise<Keyed> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const caPublicKey = ca.certificate.publicKey.export({ type: 'spki', format: 'der' });
  const made = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: 'CN=distrofarm coordinator',
    issuer: ca.certificate.subject,
    notBefore: new Date(Math.max(now - SKEW_MS, Date.parse(ca.certificate.validFrom))),
    notAfter: new Date(Math.min(now - SKEW_MS + SERVER_DAYS * DAY_MS, Date.parse(ca.certificate.validTo))),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await signingKeyOf(ca.key),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([...names]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(await publicKeyOf(caPublicKey)),
    ],
  });
  return keyed(made.rawData, keys.privateKey);
}

/** A certificate that a party of the farm shows to another, in either direction: `name` is its id, the key its own. */
export async function makePeerCertificate(
  ca: Keyed,
  name: string,
  publicKey: KeyObject,
  now: number,
): Promise<X509Certificate> {
  const caPublicKey = ca.certificate.publicKey.export({ type: 'spki', format: 'der' });
  const made = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${name}`,
    issuer: ca.certificate.subject,
    notBefore: new Date(Math.max(now - SKEW_MS, Date.parse(ca.certificate.validFrom))),
    notAfter: new Date(Math.min(now + PEER_DAYS * DAY_MS, Date.parse(ca.certificate.validTo))),
    signingAlgorithm: ALGORITHM,
    publicKey: await publicKeyOf(publicKey.export({ type: 'spki', format: 'der' })),
    signingKey: await signingKeyOf(ca.key),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      await AuthorityKeyIdentifierExtension.create(await publicKeyOf(caPublicKey)),
    ],
  });
  return new X509Certificate(Buffer.from(made.rawData));
}

/** 126 random bits, always positive. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

function keyed(der: ArrayBuffer, privateKey: webcrypto.CryptoKey): Keyed {
  return { certificate: new X509Certificate(Buffer.from(der)), key: KeyObject.from(privateKey) };
}

function signingKeyOf(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return crypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
}

function publicKeyOf(spki: Buffer): Promise<webcrypto.CryptoKey> {
  return crypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify']);
}
