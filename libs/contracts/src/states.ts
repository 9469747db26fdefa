import { z } from 'zod';

/**
 * The life of a job:
 *
 *     blocked ──► waiting ──► assigned ──► running ──► succeeded
 *                    ▲            │           ├──────► failed
 *                    ├────────────┴───────────┤        (infrastructure: back to waiting, at most twice; handed over: as often as it is)
 *                    │                        ├──────► paused
 *                    └──── resume ◄───────────┴──────► cancelled
 *
 * `libs/contracts` names the states; apps/coordinator/src/decide says who moves between them.
 */
export const JobState = z.enum([
  /** A job it needs has not succeeded yet. */
  'blocked',
  /** Could be placed; `waitingReason` says why it is not. */
  'waiting',
  /** An agent is chosen and has not fetched it yet. */
  'assigned',
  'running',
  /** At a boundary, by request. */
  'paused',
  'succeeded',
  'failed',
  'cancelled',
]);
export type JobState = z.infer<typeof JobState>;

export const BuildState = z.enum(['waiting', 'running', 'paused', 'succeeded', 'failed', 'cancelled']);
export type BuildState = z.infer<typeof BuildState>;

export const AttemptState = z.enum(['assigned', 'running', 'ended']);
export type AttemptState = z.infer<typeof AttemptState>;

export const StepState = z.enum(['waiting', 'running', 'succeeded', 'failed', 'interrupted']);
export type StepState = z.infer<typeof StepState>;

/** What an operator wants of a build; the coordinator and the agents work towards it. */
export const Wish = z.enum(['run', 'pause', 'cancel']);
export type Wish = z.infer<typeof Wish>;

/** As libs/engine's StepOutcome. */
export const StepOutcome = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('succeeded') }),
  z.strictObject({ kind: z.literal('exited'), status: z.number().int() }),
  z.strictObject({ kind: z.literal('killed'), signal: z.string().max(32) }),
  z.strictObject({ kind: z.literal('timed-out'), limitSeconds: z.number() }),
  z.strictObject({ kind: z.literal('silent'), limitSeconds: z.number() }),
  z.strictObject({ kind: z.literal('interrupted'), reason: z.string().max(1000) }),
  z.strictObject({ kind: z.literal('not-started'), reason: z.string().max(4000) }),
  z.strictObject({ kind: z.literal('out-of-space'), report: z.string().max(8000) }),
]);
export type StepOutcome = z.infer<typeof StepOutcome>;

/** Why an attempt did not go on, when no step is to blame. Each is retried elsewhere, at most twice, where nothing else is said. */
export const InfrastructureFault = z.enum([
  /** Its lease ran out, or the agent came back without it. The coordinator says so; of an attempt that an earlier process of it left in the spool, the agent. */
  'lost',
  /** An input could not be fetched, or an output or log not be delivered. */
  'transfer',
  /** The agent's store is full. */
  'no-space',
  /** The store could not take a checkpoint or go back to one. */
  'store',
  /** The agent has not what the job goes on from. */
  'base-missing',
  /** A fault of the agent's own program; `reason` has it. */
  'agent',
  /** The agent took it and does not want it: it drains, or its host has changed. */
  'refused',
  /** The agent's host told it to stop at once. It goes on where it was, there or elsewhere, and that is no retry. */
  'stopped',
]);
export type InfrastructureFault = z.infer<typeof InfrastructureFault>;

const StepIndex = z.number().int().min(0).max(999);

/** How an attempt ended. */
export const AttemptEnd = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('succeeded') }),
  /** At the boundary in front of `before`, whose checkpoint is there. */
  z.strictObject({ kind: z.literal('paused'), before: StepIndex }),
  /** At the boundary in front of `before`, to go on on another agent: because this one was asked to, or has no room for what comes. */
  z.strictObject({
    kind: z.literal('handed-over'),
    before: StepIndex,
    cause: z.enum(['asked', 'no-space']),
    reason: z.string().max(8000),
  }),
  /** By request; the step that ran is to be repeated. */
  z.strictObject({ kind: z.literal('cancelled'), at: StepIndex.nullable() }),
  /** A step's own verdict. Never retried by itself. */
  z.strictObject({ kind: z.literal('failed'), step: StepIndex, outcome: StepOutcome }),
  /** The manifest promises an output that no step wrote, or that leads out of its workspace. Never retried by itself. */
  z.strictObject({ kind: z.literal('output'), step: StepIndex, reason: z.string().max(4000) }),
  z.strictObject({
    kind: z.literal('infrastructure'),
    fault: InfrastructureFault,
    at: StepIndex.nullable(),
    reason: z.string().max(8000),
  }),
  /** Taken back before the agent had it. */
  z.strictObject({ kind: z.literal('withdrawn'), reason: z.string().max(1000) }),
]);
export type AttemptEnd = z.infer<typeof AttemptEnd>;
