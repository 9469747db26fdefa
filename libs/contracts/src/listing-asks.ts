import { z } from 'zod';
import { AreaName } from './area-name.js';
import { ListingId } from './ids.js';

/**
 * How an agent says what is in a checkpoint that it holds: names, modes, owners, sizes and digests of all files, and dpkg's packages; never what is in a file. An ask is a row, as one for a fingerprint
 * is, and takes no slot.
 *
 *     POST /agent/v1/listings                       TakeListing     -> TakenListing    when a hint says so, and from time to time
 *     PUT  /agent/v1/listings/:ask?sha256=&bytes=   raw (gzip)      -> (nothing)       libs/listing has its form. CONFLICT: the ask is another agent's by now, or gone
 *     POST /agent/v1/listings/:ask                  ListingFailure  -> (nothing)       CONFLICT likewise
 *
 * Answers may be repeated. Who has taken an ask and has not answered within `LISTING_TERM_MS` may find that another has it.
 */
export const LISTING_TERM_MS = 300_000;
/** Compressed. A Debian with 30,000 files takes 2 MB. */
export const MAX_LISTING_BYTES = 128 * 1024 * 1024;

export const ListingAsk = z.strictObject({
  ask: ListingId,
  area: AreaName,
  checkpoint: z.strictObject({
    id: z.string().min(1).max(64),
    workspace: z.string().max(200),
    label: z.string().max(200),
  }),
});
export type ListingAsk = z.infer<typeof ListingAsk>;

/** `null`: there is nothing to list. */
export const TakenListing = z.strictObject({ ask: ListingAsk.nullable() });
export type TakenListing = z.infer<typeof TakenListing>;

export const ListingFailure = z.strictObject({
  /** `gone`: the agent does not hold it. */
  kind: z.enum(['gone', 'unable']),
  reason: z.string().max(4000),
});
export type ListingFailure = z.infer<typeof ListingFailure>;
