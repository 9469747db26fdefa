import { expect, it } from '@jest/globals';
import { SECRET_PREFIX } from '#libs/contracts';
import { hashSecret, newSecret } from './secret.js';

it('makes secrets of 256 bits, each with its prefix and never twice', () => {
  const secrets = Array.from({ length: 100 }, () => newSecret(SECRET_PREFIX.agent));
  for (const secret of secrets) expect(secret).toMatch(/^dfa_[A-Za-z0-9_-]{43}$/);
  expect(new Set(secrets).size).toBe(100);
});

it('keeps secrets as SHA-256', () => {
  expect(hashSecret('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});
