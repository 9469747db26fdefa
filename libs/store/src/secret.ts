import { createHash, randomBytes } from 'node:crypto';
import type { SECRET_PREFIX } from '#libs/contracts';

const SECRET_BYTES = 32;

/** A secret of 256 random bits: the prefix and 43 base64url characters. Shown once, kept nowhere. */
export function newSecret(prefix: (typeof SECRET_PREFIX)[keyof typeof SECRET_PREFIX]): string {
  return prefix + randomBytes(SECRET_BYTES).toString('base64url');
}

/**
 * By which a secret is kept and looked up: SHA-256, hex. Not salted and not slow, since nobody can try 2^256 secrets; and a lookup by hash tells nothing
 * about the secret by the time it takes.
 */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret, 'utf8').digest('hex');
}
