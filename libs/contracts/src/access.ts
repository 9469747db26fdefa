import { z } from 'zod';
import { Millis, Name, textOf, TokenId } from './ids.js';

/** Each role may do what those before it may. */
export const Role = z.enum(['viewer', 'submitter', 'operator', 'admin']);
export type Role = z.infer<typeof Role>;

/**
 * Rights beside the role. `scripts`: bring own scripts and files in a submission. A step is root on an agent, so this is a right to be root
 * on every agent; without it a submission may use only scripts that an admin has catalogued.
 */
export const Right = z.enum(['scripts']);
export type Right = z.infer<typeof Right>;

export function roleAtLeast(role: Role, wanted: Role): boolean {
  return Role.options.indexOf(role) >= Role.options.indexOf(wanted);
}

/** A token as the API shows it; the secret is shown once, when it is made. */
export const Token = z.strictObject({
  id: TokenId,
  user: Name,
  role: Role,
  rights: z.array(Right),
  note: z.string().max(200),
  createdAt: Millis,
  expiresAt: Millis.nullable(),
  lastUsedAt: Millis.nullable(),
  revokedAt: Millis.nullable(),
});
export type Token = z.infer<typeof Token>;

export const TokenList = z.strictObject({ tokens: z.array(Token) }).meta({ id: 'TokenList' });

export const CreateToken = z
  .strictObject({
    user: Name,
    role: Role,
    rights: z.array(Right).default([]),
    note: textOf(200).default(''),
    /** `null`: never. Default 90 days. */
    expiresInSeconds: z
      .number()
      .int()
      .min(60)
      .max(10 * 365 * 86_400)
      .nullable()
      .default(90 * 86_400),
  })
  .meta({ id: 'CreateToken' });
export type CreateToken = z.infer<typeof CreateToken>;

export const CreatedToken = z.strictObject({ token: Token, secret: z.string() }).meta({ id: 'CreatedToken' });
export type CreatedToken = z.infer<typeof CreatedToken>;

export const WhoAmI = z
  .strictObject({ user: Name, role: Role, rights: z.array(Right), farm: Name, version: z.string() })
  .meta({ id: 'WhoAmI' });
export type WhoAmI = z.infer<typeof WhoAmI>;

/** Prefixes by which scanners find a leaked secret, and the coordinator tells what it is given. */
export const SECRET_PREFIX = {
  user: 'dfu_',
  agent: 'dfa_',
  enrolment: 'dfe_',
  attempt: 'dft_',
  transfer: 'dfm_',
} as const;
