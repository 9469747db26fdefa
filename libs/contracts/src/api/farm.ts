import { z } from 'zod';
import { Millis, Name, Sha256, TokenId, textOf } from '../ids.js';
import { MAX_FILES } from './builds.js';

/** A script that everybody may use. */
export const CataloguedScript = z.strictObject({
  /** Of the script with all the files it includes. */
  sha256: Sha256,
  name: z.string().max(200),
  note: z.string().max(500),
  addedBy: Name,
  addedAt: Millis,
});
export type CataloguedScript = z.infer<typeof CataloguedScript>;
export const AddScripts = z
  .strictObject({
    scripts: z
      .array(z.strictObject({ sha256: Sha256, name: textOf(200), note: textOf(500).default('') }))
      .max(MAX_FILES),
  })
  .meta({ id: 'AddScripts' });
export const ScriptCatalogue = z
  .strictObject({ scripts: z.array(CataloguedScript) })
  .meta({ id: 'ScriptCatalogue' });

export const AuditEntry = z.strictObject({
  seq: z.number().int(),
  at: Millis,
  user: Name,
  tokenId: TokenId.nullable(),
  /** E.g. `build.cancel`. */
  action: z.string(),
  target: z.string(),
  why: z.string(),
  data: z.record(z.string(), z.unknown()),
  /** SHA-256 over the previous entry's hash and this entry: a changed or removed entry breaks the chain. */
  hash: Sha256,
});
export type AuditEntry = z.infer<typeof AuditEntry>;
export const AuditPage = z
  .strictObject({ entries: z.array(AuditEntry), next: z.number().int().nullable() })
  .meta({ id: 'AuditPage' });

export const Health = z
  .strictObject({
    status: z.enum(['ok', 'degraded']),
    version: z.string(),
    database: z.string(),
    redis: z.string(),
    /** Whether this process schedules. */
    scheduling: z.boolean(),
    agents: z.number().int(),
  })
  .meta({ id: 'Health' });
export type Health = z.infer<typeof Health>;
