import { TreeError } from '#libs/artifacts';
import type { AttemptEnd, InfrastructureFault } from '#libs/contracts';
import { OutputError, SnapshotStoreError, type BuildResult, type StepOutcome } from '#libs/engine';
import { ApiError } from '#libs/http-client';
import type { Job } from '#libs/plan';
import { Stopped } from './attempt.js';
import { TransferError } from '../blobs/transfer-error.js';
import { FileChanged } from '../blobs/upload.js';

const MOST_WORDS = 4000;

/** A fault that is known by name where it is found. */
export class AttemptFault extends Error {
  override readonly name = 'AttemptFault';
  constructor(
    readonly fault: InfrastructureFault,
    message: string,
  ) {
    super(message);
  }
}

/**
 * How an attempt ended, as the coordinator is told; `null`: it is not told anything, since the attempt is another's by now. `finished` is no end yet: what the job
 * made has still to be published. Of a halt at a boundary, only who asked for it knows what it is.
 */
export function endOfRun(
  result: Exclude<BuildResult, { kind: 'finished' | 'paused' }>,
  job: Job,
  stopped: Stopped | null,
): AttemptEnd | null {
  switch (result.kind) {
    case 'interrupted':
      return endOfStop(stopped ?? new Stopped('shutdown'), result.at.index);
    case 'failed':
      return endOfFailure(result, job);
    case 'stopped':
      return endOfError(result.error, result.at.index);
  }
}

function endOfFailure({ failures }: BuildResult & { kind: 'failed' }, job: Job): AttemptEnd {
  const [failure] = failures;
  const at = failure?.step.index ?? job.steps[0]?.index ?? 0;
  const outcome: StepOutcome = failure?.outcome ?? { kind: 'not-started', reason: 'unknown' };
  if (outcome.kind === 'out-of-space') return infrastructure('no-space', at, outcome.report);
  return { kind: 'failed', step: at, outcome };
}

export function endOfStop(stopped: Stopped, at: number | null): AttemptEnd | null {
  switch (stopped.kind) {
    case 'cancelled':
      return { kind: 'cancelled', at };
    case 'shutdown':
      return infrastructure('stopped', at, stopped.message);
    case 'lease-lost':
    case 'stale':
      return null;
  }
}

/** @param at the step that is to blame when an output is */
export function endOfError(error: unknown, at: number | null): AttemptEnd {
  if (error instanceof OutputError && error.code !== 'OUTPUT_DIFFERS' && at !== null) {
    return { kind: 'output', step: at, reason: words(error) };
  }
  return infrastructure(faultOf(error), at, words(error));
}

function faultOf(error: unknown): InfrastructureFault {
  if (error instanceof AttemptFault) return error.fault;
  if (error instanceof SnapshotStoreError) return error.code === 'NO_SPACE' ? 'no-space' : 'store';
  if (isFull(error)) return 'no-space';
  if (error instanceof TreeError) return STORE_TROUBLE.has(error.code) ? 'store' : 'transfer';
  const isTransfer =
    error instanceof OutputError ||
    error instanceof TransferError ||
    error instanceof FileChanged ||
    error instanceof ApiError;
  return isTransfer ? 'transfer' : 'agent';
}

/** What is wrong with the tree's place, not with the tree. */
const STORE_TROUBLE: ReadonlySet<string> = new Set(['PACK_FAILED', 'ATTRIBUTES_LOST', 'NOT_EMPTY']);

function isFull(error: unknown): boolean {
  return error instanceof Error && /ENOSPC|No space left|Disk quota/.test(error.message);
}

function infrastructure(fault: InfrastructureFault, at: number | null, reason: string): AttemptEnd {
  return { kind: 'infrastructure', fault, at, reason: reason.slice(0, MOST_WORDS) };
}

function words(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = 'hint' in error && typeof error.hint === 'string' ? ` ${error.hint}` : '';
  return `${error.message}${hint}`.slice(0, MOST_WORDS);
}
