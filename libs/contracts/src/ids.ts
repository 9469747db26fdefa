import { z } from 'zod';

/** Letters and digits without those that people confuse (Crockford's base 32, lower case). */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
/** 50 random bits: a farm with a million builds meets a second one of the same id once in a billion. */
const RANDOM_LENGTH = 10;

function idOf<const Prefix extends string>(prefix: Prefix) {
  return z
    .string()
    .regex(new RegExp(`^${prefix}-[${ALPHABET}]{${RANDOM_LENGTH}}$`))
    .brand<Prefix>();
}

/** Ids are also parts of dataset names, file names and URLs: lower-case letters, digits and one `-`. */
export const BuildId = idOf('b');
export type BuildId = z.infer<typeof BuildId>;
export const VariantId = idOf('v');
export type VariantId = z.infer<typeof VariantId>;
export const JobId = idOf('j');
export type JobId = z.infer<typeof JobId>;
export const AttemptId = idOf('t');
export type AttemptId = z.infer<typeof AttemptId>;
export const AgentId = idOf('a');
export type AgentId = z.infer<typeof AgentId>;
export const UploadId = idOf('u');
export type UploadId = z.infer<typeof UploadId>;
/** Of the ask for a fingerprint. */
export const AskId = idOf('f');
export type AskId = z.infer<typeof AskId>;
/** Of the ask for a checkpoint's listing. */
export const ListingId = idOf('l');
export type ListingId = z.infer<typeof ListingId>;
export const TokenId = idOf('k');
export type TokenId = z.infer<typeof TokenId>;

interface IdByPrefix {
  readonly b: BuildId;
  readonly v: VariantId;
  readonly j: JobId;
  readonly t: AttemptId;
  readonly a: AgentId;
  readonly u: UploadId;
  readonly f: AskId;
  readonly l: ListingId;
  readonly k: TokenId;
}

/** A new id of the kind that the prefix stands for. */
export function newId<Prefix extends keyof IdByPrefix>(prefix: Prefix): IdByPrefix[Prefix] {
  const bytes = crypto.getRandomValues(new Uint8Array(RANDOM_LENGTH));
  const random = Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join('');
  return `${prefix}-${random}` as IdByPrefix[Prefix];
}

/** SHA-256, 64 hex digits, lower case. */
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
export type Sha256 = z.infer<typeof Sha256>;

/** Names that people give: users, agents, labels, tools, variants. Safe as one component of a path. */
export const Name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}$/);
/** A step's name, as libs/manifest checks it. */
export const StepName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/);

/** Relative, `/` between components, no empty, `.` or `..` one, no control characters. */
export const RelativePath = z
  .string()
  .min(1)
  .max(1024)
  .refine(
    (path) =>
      !path.startsWith('/') &&
      !/[\u0000-\u001f\u007f\\]/.test(path) &&
      path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'expected a relative path without "..", empty parts or control characters',
  );
/** One line that a person wrote. */
export function textOf(most: number) {
  return z
    .string()
    .max(most)
    .regex(/^[^\u0000-\u001f\u007f]*$/, 'expected one line without control characters');
}
/** Milliseconds since 1970. */
export const Millis = z.number().int().min(0);
/** A count of bytes. */
export const Bytes = z.number().int().min(0);
