import { z } from 'zod';
import { Holding } from './agent-protocol.js';
import { AreaName } from './area-name.js';
import { CheckpointRef } from './checkpoint-transfer.js';
import { Bytes, Name } from './ids.js';

/**
 * How an agent learns which checkpoints it is to keep a copy of, and says that it does. The coordinator works out what is wanted each time it is asked, so nothing
 * is lost with a call, a hint or a process. The copies themselves come as checkpoint-transfer.ts says.
 *
 *     GET  /agent/v1/replicas                                -> WantedReplicas   when a hint says so, and from time to time
 *     POST /agent/v1/replicas           HeldReplica          -> (nothing)        after each checkpoint that came
 *     POST /agent/v1/attempts/:id/copies AskCopies           -> CopiesAnswer     asked by the job's own agent, in front of a step
 */
export const WantedReplica = z.strictObject({
  area: AreaName,
  /** What the first of them goes on from, when it is held too; else that is sent whole. */
  base: z
    .strictObject({ workspace: z.string().max(200), checkpoint: z.string().max(64).nullable() })
    .nullable(),
  /** Each continues the one before it. Those at the beginning may be held already. */
  checkpoints: z.array(Holding).min(1).max(2000),
  /** A job waits for it, or has given up to: steps that run may be slowed by it. */
  urgent: z.literal(true).optional(),
});
export type WantedReplica = z.infer<typeof WantedReplica>;

/** The most urgent first. */
export const WantedReplicas = z.strictObject({ replicas: z.array(WantedReplica).max(1000) });
export type WantedReplicas = z.infer<typeof WantedReplicas>;

export const HeldReplica = z.strictObject({
  area: AreaName,
  holding: Holding,
  from: Name,
  bytes: Bytes,
  ms: z.number().int().min(0),
});
export type HeldReplica = z.infer<typeof HeldReplica>;

export const AskCopies = z.strictObject({ checkpoint: CheckpointRef });
export type AskCopies = z.infer<typeof AskCopies>;

export const CopiesAnswer = z.discriminatedUnion('kind', [
  /** On as many agents as can be had. */
  z.strictObject({ kind: z.literal('there') }),
  /** Ask again when woken by `copied`, or soon. */
  z.strictObject({ kind: z.literal('coming'), reason: z.string().max(1000) }),
  /** Go on; until they are there, the job would go on from an earlier checkpoint elsewhere. */
  z.strictObject({ kind: z.literal('without'), reason: z.string().max(1000) }),
]);
export type CopiesAnswer = z.infer<typeof CopiesAnswer>;
