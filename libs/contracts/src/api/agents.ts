import { z } from 'zod';
import { AgentId, AttemptId, BuildId, Bytes, Millis, Name, StepName, textOf } from '../ids.js';
import { AttemptEnd, AttemptState } from '../states.js';
import { Why } from './why.js';

export const AgentState = z.enum(['idle', 'busy', 'draining', 'drained', 'paused', 'lost', 'revoked']);
export type AgentState = z.infer<typeof AgentState>;

export const StoreFacts = z.strictObject({
  kind: z.enum(['zfs', 'btrfs', 'directory']),
  description: z.string().max(300),
  /** What the store can beside the port: `send`, `receive`, `resume-receive`, `reflink`. */
  abilities: z.array(Name).max(20),
});
export const AgentFacts = z.strictObject({
  version: z.string().max(50),
  hostname: z.string().max(255),
  /** Architectures whose images it can build, Debian's words: `amd64`, `i386`, `arm64`. */
  architectures: z.array(Name).min(1).max(20),
  labels: z.array(Name).max(50),
  slots: z.number().int().min(1).max(256),
  /** Tools by name, with what they say of their version. */
  tools: z.record(z.string().max(64), z.string().max(200)),
  store: StoreFacts,
  freeBytes: Bytes,
  usedBytes: Bytes,
});
export type AgentFacts = z.infer<typeof AgentFacts>;

export const AgentLoad = z.strictObject({
  /** Load average of one minute divided by the number of processors. */
  cpu: z.number().min(0),
  freeMemoryBytes: Bytes,
});
export type AgentLoad = z.infer<typeof AgentLoad>;

export const AgentView = z
  .strictObject({
    id: AgentId,
    name: Name,
    state: AgentState,
    facts: AgentFacts,
    load: AgentLoad.nullable(),
    /** Attempts it runs. */
    running: z.array(
      z.strictObject({
        attempt: AttemptId,
        build: BuildId,
        lane: z.string(),
        step: z.string().nullable(),
        /** When its lease was renewed last; `null` before the agent fetched it. */
        renewedAt: Millis.nullable(),
      }),
    ),
    /** Who drained or paused it, and why, or what its quarantine is for; else empty. */
    reason: z.string(),
    /** When its pause or quarantine ends by itself. */
    pausedUntil: Millis.nullable(),
    enrolledAt: Millis,
    lastSeenAt: Millis.nullable(),
    checkpoints: z.number().int(),
  })
  .meta({ id: 'Agent' });
export type AgentView = z.infer<typeof AgentView>;
export const AgentList = z.strictObject({ agents: z.array(AgentView) }).meta({ id: 'AgentList' });

export const AgentHistoryQuery = z.strictObject({
  limit: z.number().int().min(1).max(200).default(50),
  /** The `next` of the page before. */
  cursor: z.string().max(100).optional(),
});
export type AgentHistoryQuery = z.infer<typeof AgentHistoryQuery>;

/** Something that it was given. */
export const AgentAttempt = z.strictObject({
  kind: z.literal('attempt'),
  /** When it was given to it. */
  at: Millis,
  attempt: AttemptId,
  build: BuildId,
  /** Distribution name of the manifest. */
  name: z.string(),
  variant: Name,
  lane: z.string(),
  /** From 1 within the job. */
  number: z.number().int(),
  state: AttemptState,
  phase: z.string().nullable(),
  startedAt: Millis.nullable(),
  endedAt: Millis.nullable(),
  end: AttemptEnd.nullable(),
  /** Names of the steps that `end` may speak of. */
  steps: z.array(z.strictObject({ index: z.number().int(), name: StepName })),
});
export type AgentAttempt = z.infer<typeof AgentAttempt>;

/** Something that became of it. */
export const AgentChange = z.strictObject({
  kind: z.literal('change'),
  at: Millis,
  /** Of the event that tells of it. */
  seq: z.number().int(),
  what: z.enum([
    'enrolled',
    /** A process of it has said hello. */
    'started',
    'lost',
    /** The same process, after it was lost. */
    'came-back',
    'drained',
    'undrained',
    'paused',
    'unpaused',
    'quarantined',
    'revoked',
  ]),
  /** Whoever did it; empty when nobody did. */
  by: z.string(),
  why: z.string(),
  /** When a pause or a quarantine ends by itself. */
  until: Millis.nullable(),
});
export type AgentChange = z.infer<typeof AgentChange>;

/** Newest first. Changes are told of as long as events are kept. */
export const AgentHistory = z
  .strictObject({
    entries: z.array(z.discriminatedUnion('kind', [AgentAttempt, AgentChange])),
    next: z.string().nullable(),
  })
  .meta({ id: 'AgentHistory' });
export type AgentHistory = z.infer<typeof AgentHistory>;

export const DrainAgent = z
  .strictObject({
    why: Why,
    /** Its jobs go on to their ends; else each stops at its next boundary once another agent can take it. */
    letFinish: z.boolean().default(false),
  })
  .meta({ id: 'DrainAgent' });
export const RevokeAgent = z.strictObject({ why: Why }).meta({ id: 'RevokeAgent' });
export const PauseAgent = z
  .strictObject({
    why: textOf(500).min(1),
    untilSeconds: z
      .number()
      .int()
      .min(1)
      .max(365 * 86_400)
      .nullable()
      .default(null),
  })
  .meta({ id: 'PauseAgent' });
export const CreateEnrolment = z
  .strictObject({
    /** Fixes the agent's name; else the agent says it. */
    name: Name.nullable().default(null),
    expiresInSeconds: z
      .number()
      .int()
      .min(60)
      .max(7 * 86_400)
      .default(3600),
  })
  .meta({ id: 'CreateEnrolment' });
export const Enrolment = z
  .strictObject({
    token: z.string(),
    expiresAt: Millis,
    /** SHA-256 of the farm's CA certificate in DER; `null` without TLS or with a public certificate. */
    caFingerprint: z.string().nullable(),
    /** The one command to run on the host. */
    command: z.string(),
  })
  .meta({ id: 'Enrolment' });
export type Enrolment = z.infer<typeof Enrolment>;
