import { z } from 'zod';
import { AssignedFile } from './agent-protocol.js';
import { AskId, Name, RelativePath, Sha256, StepName } from './ids.js';

/**
 * How an agent asks for steps' fingerprints on behalf of the coordinator, which runs no command that somebody submitted. An ask is a row: nothing is lost with a call, a hint or a
 * process. It runs beside jobs and takes no slot.
 *
 *     POST /agent/v1/fingerprints            TakeFingerprints    -> TakenFingerprints   when a hint says so, and from time to time
 *     POST /agent/v1/fingerprints/:ask       FingerprintAnswer   -> (nothing)           CONFLICT: the ask is another agent's by now, or gone
 *
 * Who has taken an ask and has not answered within `FINGERPRINT_TERM_MS` may find that another has it.
 */
export const FINGERPRINT_TERM_MS = 60_000;
/** At a time on one agent. */
export const MOST_FINGERPRINTS = 2;

export const TakeFingerprints = z.strictObject({
  /** More than that are not given. */
  most: z.number().int().min(1).max(MOST_FINGERPRINTS),
});
export type TakeFingerprints = z.infer<typeof TakeFingerprints>;

export const FingerprintAsk = z.strictObject({
  ask: AskId,
  manifest: z.string(),
  manifestPath: RelativePath,
  /** All files of the submission; fetched as blobs. */
  files: z.array(AssignedFile),
  variant: Name,
  step: StepName,
  sourceDateEpoch: z.number().int(),
  /** As in an assignment: the agent's own plan must have the same. */
  planContentSha256: Sha256,
});
export type FingerprintAsk = z.infer<typeof FingerprintAsk>;

export const TakenFingerprints = z.strictObject({ asks: z.array(FingerprintAsk).max(MOST_FINGERPRINTS) });
export type TakenFingerprints = z.infer<typeof TakenFingerprints>;

export const FingerprintAnswer = z.discriminatedUnion('kind', [
  /** Digest of what the command wrote. */
  z.strictObject({ kind: z.literal('output'), sha256: Sha256 }),
  /** The command's own verdict: it would be the same elsewhere, as far as one can know. */
  z.strictObject({ kind: z.literal('failed'), reason: z.string().max(4000) }),
  /** The agent could not run it, and another may. */
  z.strictObject({ kind: z.literal('unable'), reason: z.string().max(4000) }),
]);
export type FingerprintAnswer = z.infer<typeof FingerprintAnswer>;
