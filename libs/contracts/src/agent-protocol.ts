import { z } from 'zod';
import { AreaName } from './area-name.js';
import { PeerAddress } from './checkpoint-transfer.js';
import { AgentFacts, AgentLoad } from './api/agents.js';
import {
  AgentId,
  AttemptId,
  BuildId,
  Bytes,
  JobId,
  Millis,
  Name,
  RelativePath,
  Sha256,
  StepName,
  UploadId,
} from './ids.js';
import { AttemptEnd, StepOutcome, Wish } from './states.js';

/**
 * What an agent and the coordinator say to each other, below /agent/v1. The agent always calls; every call but `enrol` carries the agent's key
 * (`Authorization: Bearer dfa_…`). Calls about an attempt also carry its epoch and its token, in the two headers below: a write with another
 * epoch is refused with STALE_EPOCH, and the agent then drops the attempt.
 *
 *     POST enrol                          EnrolRequest   -> EnrolResponse        once, with a one-use token
 *     POST hello                          Hello          -> HelloResponse        at start; ends what this agent ran before it
 *     POST heartbeat                      Heartbeat      -> HeartbeatResponse    every `heartbeatMs`, and when woken; renews the leases
 *     GET  wake                           (server-sent events; hints only)       `replicate`: ask for replicas; `copied`: ask for copies again; `fingerprints`: take fingerprints; `listings`: take a listing; any other: send a heartbeat now
 *     POST claim                          Claim          -> Assignment | 204     long poll of `claimWaitMs`
 *     POST attempts/:id/reports           Reports        -> ReportsResponse
 *     POST attempts/:id/log?offset=       raw bytes      -> LogPosition          WRONG_OFFSET says where to go on; none: asks only
 *     POST attempts/:id/uploads           StartUpload    -> UploadState
 *     PATCH attempts/:id/uploads/:upload?offset=  raw    -> UploadState          WRONG_OFFSET likewise
 *     POST attempts/:id/uploads/:upload/commit           -> UploadState          DIGEST_MISMATCH drops the upload
 *     POST attempts/:id/room              AskRoom        -> RoomAnswer           the store is full: what may go, at once
 *     GET  blobs/:sha256                  (ranges)       -> bytes                inputs of the agent's running attempts only
 *
 * and what checkpoint-transfer.ts, checkpoint-replicas.ts, fingerprint-asks.ts and listing-asks.ts say.
 */
export const EPOCH_HEADER = 'distrofarm-epoch';
export const ATTEMPT_TOKEN_HEADER = 'distrofarm-attempt';
/** Raised when an old agent cannot work with a new coordinator; `hello` refuses others in words. */
export const AGENT_PROTOCOL = 5;
/** Largest body of an upload call. */
export const MAX_CHUNK_BYTES = 8 * 1024 * 1024;
/** A tree's large files that are pieces of their own; further ones are in the pieces around them. */
export const MOST_LARGE_FILES = 500;
/** States to choose from that other jobs made. */
export const MOST_REUSABLE = 20;
/** Areas whose size a heartbeat tells. */
export const MOST_SIZES = 1000;
/** Largest body of a log call; neither side holds it in memory. */
export const MAX_LOG_CHUNK_BYTES = 32 * 1024 * 1024;

const Protocol = z.number().int();
/** New at each start of the agent's process; tells two agents with one key apart. */
const Instance = z.string().regex(/^[0-9a-f]{32}$/);
const Epoch = z.number().int().min(1);
export const MOST_STEPS = 1000;
const StepIndex = z
  .number()
  .int()
  .min(0)
  .max(MOST_STEPS - 1);

export const EnrolRequest = z.strictObject({ token: z.string().max(200), name: Name, facts: AgentFacts });
export type EnrolRequest = z.infer<typeof EnrolRequest>;
export const EnrolResponse = z.strictObject({ agent: AgentId, name: Name, key: z.string(), farm: Name });
export type EnrolResponse = z.infer<typeof EnrolResponse>;

/** A checkpoint that the agent's store holds. */
export const Holding = z.strictObject({
  /** Snapshot guid, or the store's own id. */
  id: z.string().min(1).max(64),
  /** As in `Assignment.lineage`. */
  lineage: z.string().max(200),
  workspace: z.string().max(200),
  label: z.string().max(200),
  /** Id of the checkpoint that it continues; empty for the first of a job. */
  previous: z.string().max(64).default(''),
  takenAt: Millis,
  /** Step key of its state, where it was known. */
  key: Sha256.optional(),
});
export type Holding = z.infer<typeof Holding>;

/** Times that the coordinator dictates, so that they can be changed in one place. Milliseconds. */
export const AgentSettings = z.strictObject({
  heartbeatMs: z.number().int().min(50),
  /** Without a renewal acknowledged for this long, by its own monotonic clock, the agent ends its steps. */
  selfStopMs: z.number().int().min(100),
  claimWaitMs: z.number().int().min(100),
  /** The log is sent when this much has gathered, or this old. */
  logFlushMs: z.number().int().min(10),
  logChunkBytes: z.number().int().min(1024).max(MAX_LOG_CHUNK_BYTES),
  /** What an attempt's log may grow to; the rest is counted, not kept. */
  maxLogBytes: Bytes,
  uploadChunkBytes: z.number().int().min(1024).max(MAX_CHUNK_BYTES),
});
export type AgentSettings = z.infer<typeof AgentSettings>;

export const Hello = z.strictObject({
  protocol: Protocol,
  instance: Instance,
  facts: AgentFacts,
  /** Where other agents fetch checkpoints; `null`: nowhere. */
  peer: PeerAddress.nullable().default(null),
  /** Attempts of which the spool still holds reports or log: they are delivered after the hello, and accepted. */
  spooled: z.array(z.strictObject({ attempt: AttemptId, epoch: Epoch })).max(10_000),
  holdings: z.array(Holding).max(100_000),
  /** Areas found in the agent's store, whatever they hold. */
  areas: z.array(AreaName).max(100_000),
});
export type Hello = z.infer<typeof Hello>;
export const HelloResponse = z.strictObject({
  agent: AgentId,
  name: Name,
  farm: Name,
  settings: AgentSettings,
  /** Areas to remove, with all their checkpoints. */
  drop: z.array(AreaName),
});
export type HelloResponse = z.infer<typeof HelloResponse>;

export const Heartbeat = z.strictObject({
  instance: Instance,
  load: AgentLoad,
  freeBytes: Bytes,
  usedBytes: Bytes,
  attempts: z
    .array(z.strictObject({ attempt: AttemptId, epoch: Epoch, token: z.string().max(200) }))
    .max(256),
  /** Areas that an earlier answer told to drop, and that are gone now. */
  dropped: z.array(AreaName).max(1000),
  /** What would be free without them, of areas that were measured anew. Left out: none, as by agents of the version before. */
  sizes: z
    .array(z.strictObject({ area: AreaName, usedBytes: Bytes }))
    .max(MOST_SIZES)
    .optional(),
  /** The agent was told to stop by its host (SIGTERM): it finishes what it has and takes nothing new. */
  leaving: z.boolean(),
});
export type Heartbeat = z.infer<typeof Heartbeat>;
export const HeartbeatResponse = z.strictObject({
  settings: AgentSettings,
  leases: z.array(
    z.strictObject({
      attempt: AttemptId,
      /** False: the attempt is another's, or over. Stop at once, report nothing more of it. */
      granted: z.boolean(),
      wish: Wish,
      /** The step not to run; it may have changed since the assignment. */
      pauseBefore: StepName.nullable(),
      /** Stop at the next boundary, since another agent can take the job: why. Left out where it is not, since agents of the version before know nothing of it. */
      handOver: z.string().max(1000).optional(),
    }),
  ),
  drop: z.array(AreaName),
});
export type HeartbeatResponse = z.infer<typeof HeartbeatResponse>;

/**
 * An attempt has too little room: `freeBytes` are there, or will be when its step is undone, and `wantedBytes` should be. With less than `leastBytes` it is not helped, and nothing is to go for
 * its sake.
 */
export const AskRoom = z.strictObject({ freeBytes: Bytes, wantedBytes: Bytes, leastBytes: Bytes });
export type AskRoom = z.infer<typeof AskRoom>;
/** Areas that the agent is to drop now, with those that it was told to drop before. Empty: nothing may go. */
export const RoomAnswer = z.strictObject({ drop: z.array(AreaName) });
export type RoomAnswer = z.infer<typeof RoomAnswer>;

export const Claim = z.strictObject({ instance: Instance });
export type Claim = z.infer<typeof Claim>;

export const AssignedFile = z.strictObject({
  path: RelativePath,
  executable: z.boolean(),
  sha256: Sha256,
  bytes: Bytes,
});
export type AssignedFile = z.infer<typeof AssignedFile>;

/**
 * A tree as blobs: one behind the other they are a tar that unpacks to what `treeSha256` (libs/artifacts `treeDigest`) says. A large file is a piece of its own, so what is in
 * several trees is kept and moved once.
 */
export const PackedTree = z.strictObject({
  pieces: z
    .array(z.strictObject({ sha256: Sha256, bytes: Bytes }))
    .min(1)
    .max(2 * MOST_LARGE_FILES + 1),
  treeSha256: Sha256,
});
export type PackedTree = z.infer<typeof PackedTree>;

export const Assignment = z.strictObject({
  attempt: AttemptId,
  epoch: Epoch,
  token: z.string(),
  /** How long the claim had waited when the lease began: the agent counts the lease from then, not from when the answer arrives. */
  waitedMs: z.number().int().min(0),
  build: BuildId,
  job: JobId,
  variant: Name,
  jobIndex: z.number().int().min(0),
  area: AreaName,
  /**
   * Kept in every checkpoint of the job. The agent goes on from the newest checkpoint that it holds of this lineage, or of its ancestry; from the job's start when it
   * holds none.
   */
  lineage: z.string().max(200),
  manifest: z.string(),
  manifestPath: RelativePath,
  /** All files of the submission; fetched as blobs. */
  files: z.array(AssignedFile),
  sourceDateEpoch: z.number().int(),
  /** `digests.content` of the plan the coordinator made: the agent's own plan must have the same. */
  planContentSha256: Sha256,
  /** Earlier lineages of the job that are good up to the boundary in front of a step: it was set back to there. */
  ancestry: z.array(z.strictObject({ lineage: z.string().max(200), upTo: StepName })).max(100),
  pauseBefore: StepName.nullable(),
  /** Outputs of other lanes, to bring in where the plan's `imports` say. */
  imports: z.array(z.strictObject({ lane: z.string(), path: RelativePath, tree: PackedTree })),
  /** For a job that forks or continues: the boundary it goes on from, and the state there of the attempt that ended well. */
  base: z
    .strictObject({
      workspace: z.string(),
      label: z.string(),
      lineage: z.string(),
      /** Where it is; left out: in the job's own area. Another build's, when the job before took its results over from there. */
      area: AreaName.optional(),
      /** Id of that attempt's checkpoint: one of the same name may be of an attempt that was given up. `null`: it is not on record. */
      checkpoint: z.string().max(64).nullable(),
      /** The same state, where it was published. */
      tree: PackedTree.nullable(),
    })
    .nullable(),
  /** Step keys of the job's boundaries, from the first on; `null` where nobody knows. They are kept with the checkpoints. */
  keys: z.array(Sha256.nullable()).max(1001),
  /**
   * What the fingerprint commands of the job's steps wrote when they were asked for. Right behind such a step the agent asks again: where the answer is another, the keys of what comes behind are none. Left out
   * where there are none, since agents of the version before know nothing of them.
   */
  fingerprints: z
    .array(z.strictObject({ step: StepIndex, output: Sha256 }))
    .max(MOST_STEPS)
    .optional(),
  /** Checkpoints of the lineage and its ancestry that other agents hold and send: see checkpoint-transfer.ts. */
  elsewhere: z.array(Holding).max(2000),
  /**
   * States that other jobs made and that equal this one's at a boundary: where none of its own is as far on, it goes on from the first of these that can be had. The furthest first; of
   * one boundary, what this agent holds first.
   */
  reuse: z
    .array(
      z.strictObject({
        /** Which of the job's boundaries, from 1 on. */
        position: z.number().int().min(1).max(1001),
        area: AreaName,
        checkpoint: Holding,
      }),
    )
    .max(MOST_REUSABLE),
  /** Publish the state the job ends in, since jobs on other agents may go on from it. */
  publishEnd: z.boolean(),
  /**
   * Other agents are to have copies of the checkpoints: no step is started before those of the checkpoint in front of it are there (`each`), or those of the one before that
   * (`one-behind`). See checkpoint-replicas.ts. Left out where no copies are wanted.
   */
  copies: z.enum(['each', 'one-behind']).optional(),
});
export type Assignment = z.infer<typeof Assignment>;

/** The nodepaths that a script asked for in one run, each once. */
export const AskedReads = z.strictObject({
  /** Of the script with what it includes. */
  script: Sha256,
  nodepaths: z
    .array(
      z
        .string()
        .min(1)
        .max(200)
        .regex(/^\P{Cc}*$/u),
    )
    .max(200),
});
export type AskedReads = z.infer<typeof AskedReads>;

/** What an attempt tells, in order. Step numbers are indexes in the plan. */
export const ReportEvent = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('phase'), phase: z.enum(['fetching', 'running', 'publishing']) }),
  z.strictObject({ type: z.literal('resumed'), before: StepIndex, checkpoint: z.string().max(64) }),
  /** A state that another job made was taken over: the steps in front of it did not have to run. `null`: it is the job's end. */
  z.strictObject({
    type: z.literal('state-reused'),
    before: StepIndex.nullable(),
    build: BuildId,
    checkpoint: z.string().max(64),
  }),
  z.strictObject({
    type: z.literal('output-imported'),
    lane: z.string().max(64),
    path: RelativePath,
    treeSha256: Sha256,
  }),
  z.strictObject({ type: z.literal('step-started'), step: StepIndex }),
  z.strictObject({
    type: z.literal('step-ended'),
    step: StepIndex,
    outcome: StepOutcome,
    /** What the step asked of the manifest, and got; left out by agents of the version before. */
    asked: AskedReads.optional(),
  }),
  /** Or found by an attempt that goes on from it, which the coordinator may know already. */
  z.strictObject({ type: z.literal('checkpoint-taken'), before: StepIndex.nullable(), holding: Holding }),
  /**
   * From the boundary behind this step on, the job's states are not what their keys say: what the step's fingerprint is of changed while it ran, or a state without a key was gone on from. Told before
   * the step's end, and before any checkpoint behind it.
   */
  z.strictObject({ type: z.literal('keys-dropped'), behind: StepIndex, why: z.string().max(4000) }),
  /** A checkpoint came from another agent: `bytes` in `ms`. */
  z.strictObject({
    type: z.literal('checkpoint-fetched'),
    holding: Holding,
    from: Name,
    bytes: Bytes,
    ms: z.number().int().min(0),
  }),
  /** One is on its way; `totalBytes` is an estimate. `earlierBytes` of the `bytes` have come before a transfer broke off. */
  z.strictObject({
    type: z.literal('transfer-progress'),
    label: z.string().max(200),
    from: Name,
    bytes: Bytes,
    totalBytes: Bytes.nullable().default(null),
    bytesPerSecond: Bytes.default(0),
    earlierBytes: Bytes.optional(),
  }),
  /** A lane's declared output, uploaded and committed. */
  z.strictObject({ type: z.literal('output-published'), path: RelativePath, tree: PackedTree }),
  /** The job's end state, uploaded and committed. */
  z.strictObject({
    type: z.literal('end-published'),
    workspace: z.string().max(200),
    label: z.string().max(200),
    tree: PackedTree,
  }),
  z.strictObject({ type: z.literal('artifact-published'), name: RelativePath, sha256: Sha256, bytes: Bytes }),
  z.strictObject({ type: z.literal('warning'), text: z.string().max(4000) }),
  /** The last one. By then all of the log has been sent, or is in the spool. */
  z.strictObject({ type: z.literal('ended'), end: AttemptEnd, logBytes: Bytes }),
]);
export type ReportEvent = z.infer<typeof ReportEvent>;

export const Report = z.strictObject({
  /** From 1, without holes; a repeated one is accepted and ignored. */
  seq: z.number().int().min(1),
  at: Millis,
  event: ReportEvent,
});
export type Report = z.infer<typeof Report>;
export const Reports = z.strictObject({ reports: z.array(Report).min(1).max(500) });
export type Reports = z.infer<typeof Reports>;
/** All reports up to `acknowledged` are in the database of record. */
export const ReportsResponse = z.strictObject({ acknowledged: z.number().int() });
export type ReportsResponse = z.infer<typeof ReportsResponse>;

/** How much of the log is kept: the offset to go on from. */
export const LogPosition = z.strictObject({ bytes: Bytes });
export type LogPosition = z.infer<typeof LogPosition>;

export const StartUpload = z.strictObject({ sha256: Sha256, bytes: Bytes });
export type StartUpload = z.infer<typeof StartUpload>;
/** `committed`: the blob is there (perhaps since long ago), nothing more to send. Uploads of the same digest by the same attempt go on where they were. */
export const UploadState = z.strictObject({
  upload: UploadId.nullable(),
  offset: Bytes,
  committed: z.boolean(),
});
export type UploadState = z.infer<typeof UploadState>;
