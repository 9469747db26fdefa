import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';

/** A certificate with its private key. */
export interface Keyed {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

/** Private key and certificate in one text, so that one file holds both or neither. */
export function formatKeyed({ certificate, key }: Keyed): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString() + certificate.toString();
}

/** Throws where the text is not what formatKeyed writes, or key and certificate do not belong together. */
export function parseKeyed(text: string): Keyed {
  const certificate = new X509Certificate(text.slice(text.indexOf('-----BEGIN CERTIFICATE')));
  const key = createPrivateKey(text);
  if (!certificate.checkPrivateKey(key)) throw new Error('the key is not that of the certificate');
  return { certificate, key };
}
