import { describe, expect, it } from '@jest/globals';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { makePeerCa, PeerCa } from './peer-ca.js';

const NOW = Date.UTC(2026, 0, 1);
const pemOf = (type: 'ec' | 'ed25519', namedCurve = 'prime256v1'): string =>
  (type === 'ec' ? generateKeyPairSync('ec', { namedCurve }) : generateKeyPairSync('ed25519')).publicKey
    .export({ type: 'spki', format: 'pem' })
    .toString();

describe('PeerCa', () => {
  it('makes out certificates to a key and a name, also after it was kept as a text', async () => {
    const text = await makePeerCa(NOW);
    const publicKey = pemOf('ec');
    const { certificate, validUntil } = await PeerCa.parse(text).issue('a-0123456789', publicKey, NOW);
    const made = new X509Certificate(certificate);
    const ca = new X509Certificate(PeerCa.parse(text).certificate);
    expect(made.subject).toBe('CN=a-0123456789');
    expect(made.verify(ca.publicKey)).toBe(true);
    expect(made.ca).toBe(false);
    expect(made.publicKey.equals(createPublicKey(publicKey))).toBe(true);
    expect(validUntil).toBeGreaterThan(NOW + 29 * 86_400_000);
    expect(validUntil).toBeLessThanOrEqual(NOW + 30 * 86_400_000);
  });

  it.each([
    ['a name with a comma in it', 'a,CN=b', pemOf('ec')],
    ['another kind of key', 'a-1', pemOf('ed25519')],
    ['another curve', 'a-1', pemOf('ec', 'secp384r1')],
    ['what is no key', 'a-1', 'hello'],
  ])('refuses %s', async (_, name, publicKey) => {
    const ca = PeerCa.parse(await makePeerCa(NOW));
    await expect(ca.issue(name, publicKey, NOW)).rejects.toThrow(RangeError);
  });
});
