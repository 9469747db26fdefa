import { z } from 'zod';
import { AreaName } from './area-name.js';
import { AgentId, Bytes, Millis, Name } from './ids.js';

/**
 * How a checkpoint goes from one agent to another. The receiver asks the coordinator for a ticket and shows it to the source, which has the coordinator
 * redeem it; so the coordinator decides each time who gets what, and a ticket is good once.
 *
 *     receiver -> coordinator   POST /agent/v1/transfers         AskTransfer   -> TransferTicket
 *     receiver -> source        POST https://host:port/          (the ticket)  -> Preface, the store's stream, the digest of both
 *     source   -> coordinator   POST /agent/v1/transfers/redeem  RedeemTicket  -> RedeemedTicket
 *
 * The receiver asks in HTTP/1.0: the answer comes as it is, up to the end of the connection. Where something of the checkpoint has come before, it names the position that its
 * store is at in a header; a source that can go on there says so in the preface, and any other sends all of it. Both agents show a certificate of the farm's peer CA, made out to
 * the agent's id (POST /agent/v1/peer-certificate).
 */
export const PeerAddress = z.strictObject({
  host: z.string().min(1).max(255),
  port: z.number().int().min(1).max(65_535),
});
export type PeerAddress = z.infer<typeof PeerAddress>;

export const CheckpointRef = z.strictObject({
  id: z.string().min(1).max(64),
  workspace: z.string().min(1).max(200),
  label: z.string().min(1).max(200),
});
export type CheckpointRef = z.infer<typeof CheckpointRef>;

export const AskTransfer = z.strictObject({
  area: AreaName,
  checkpoint: CheckpointRef,
  /** What the receiver has already, to be gone on from. */
  base: CheckpointRef.nullable(),
  /** Agents that did not answer, or sent something else. */
  without: z.array(AgentId).max(100),
  /** Agents that were asked and do not have it. */
  gone: z.array(AgentId).max(100),
});
export type AskTransfer = z.infer<typeof AskTransfer>;

export const TransferTicket = z.strictObject({
  ticket: z.string().max(200),
  source: z.strictObject({ agent: AgentId, name: Name, address: PeerAddress }),
  /** More than this is no checkpoint, but an attack or a mistake. */
  maxBytes: Bytes,
});
export type TransferTicket = z.infer<typeof TransferTicket>;

export const RedeemTicket = z.strictObject({ ticket: z.string().max(200) });
export type RedeemTicket = z.infer<typeof RedeemTicket>;
export const RedeemedTicket = z.strictObject({
  receiver: AgentId,
  area: AreaName,
  checkpoint: CheckpointRef,
  base: CheckpointRef.nullable(),
  /** No job waits for it: none is to be slowed by it. */
  background: z.literal(true).optional(),
});
export type RedeemedTicket = z.infer<typeof RedeemedTicket>;

/** PEM. */
export const AskPeerCertificate = z.strictObject({ publicKey: z.string().max(2000) });
export type AskPeerCertificate = z.infer<typeof AskPeerCertificate>;
export const PeerCertificate = z.strictObject({
  certificate: z.string(),
  ca: z.string(),
  validUntil: Millis,
});
export type PeerCertificate = z.infer<typeof PeerCertificate>;

/** Where a stream goes on that broke off: a store's own words, for one of its kind. */
export const StreamPosition = z.string().regex(/^[A-Za-z0-9.]{1,100}$/);
export const POSITION_HEADER = 'distrofarm-position';

/** In front of the stream, as a length of four bytes and JSON: what the source's store knows of the checkpoint. */
export const Preface = z.strictObject({
  facts: z.record(z.string().max(31), z.string().max(1000)),
  /** About how much all of the stream is; `null`: nobody knows. Only for people to read. */
  bytes: Bytes.nullable().default(null),
  /** The one that was asked for, where this is but the rest that is behind it. Only sent to who has asked. */
  position: StreamPosition.optional(),
});
export type Preface = z.infer<typeof Preface>;
export const MAX_PREFACE_BYTES = 64 * 1024;
/** The last of what is sent: SHA-256 of all before it, the preface included. */
export const DIGEST_BYTES = 32;
