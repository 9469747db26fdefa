import { z } from 'zod';
import { AgentId, AttemptId, BuildId, JobId, Millis } from './ids.js';

/** What happens on a farm, as the event stream tells it. `data` per type is in docs/operations.md. */
export const EventType = z.enum([
  'build-submitted',
  'build-paused',
  'build-resumed',
  'build-cancelled',
  /** The build came to rest: `data.state` is succeeded, failed, paused or cancelled. */
  'build-ended',
  /** A step's fingerprint is not to be had, `data.reason` says why: the build, or where `data.variant` is an optional one that variant, fails before its first step. */
  'fingerprint-failed',
  'job-waiting',
  /** It did not have to run: another one, of `data.fromBuild`, had done the same. */
  'job-reused',
  'job-assigned',
  'job-started',
  'job-ended',
  'job-retried',
  /** It stopped at a boundary, to go on on another agent. */
  'job-handed-over',
  /** `data.phase`: fetching, running or publishing. */
  'attempt-phase',
  'resumed',
  /** It goes on from a state that a job of `data.fromBuild` made. */
  'state-reused',
  'output-imported',
  'step-started',
  'step-ended',
  'checkpoint-taken',
  /** A checkpoint came from another agent. */
  'checkpoint-fetched',
  /** One was copied to another agent, to be there when its own is lost. */
  'checkpoint-replicated',
  /** One is on its way. */
  'transfer-progress',
  /** An agent has dropped what it held of `data.variant`. */
  'checkpoints-dropped',
  /** Somebody keeps them from now on, or not any more. */
  'checkpoints-pinned',
  'checkpoints-unpinned',
  'artifact-published',
  'warning',
  /** A report of an attempt that has lost its job was refused. */
  'stale-report',
  'agent-enrolled',
  'agent-connected',
  'agent-lost',
  'agent-drained',
  'agent-undrained',
  'agent-paused',
  'agent-unpaused',
  /** It gets nothing for a while, since attempts on it failed one after the other. */
  'agent-quarantined',
  'agent-revoked',
]);
export type EventType = z.infer<typeof EventType>;

/** One event. `seq` grows by one farm-wide, without holes, in the order in which things became true. */
export const FarmEvent = z
  .strictObject({
    seq: z.number().int().min(1),
    at: Millis,
    type: EventType,
    build: BuildId.nullable(),
    job: JobId.nullable(),
    attempt: AttemptId.nullable(),
    agent: AgentId.nullable(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'FarmEvent' });
export type FarmEvent = z.infer<typeof FarmEvent>;

/** A page of the sequence; `next` is what to ask for behind it, `null` at its end. */
export const EventPage = z
  .strictObject({ events: z.array(FarmEvent), next: z.number().int().nullable() })
  .meta({ id: 'EventPage' });
export type EventPage = z.infer<typeof EventPage>;
