import type { Matrix, Priority, SubmitBuild } from '#libs/contracts';
import type { Submission } from './read-submission.js';

export interface SubmissionOptions {
  readonly variant?: readonly string[];
  readonly matrix?: Matrix;
  readonly pause?: string;
  readonly priority?: Priority;
  readonly on?: string;
  readonly replicas?: number;
  readonly waitForReplicas?: boolean;
  readonly waitForAgents?: boolean;
  readonly reuse?: boolean;
  readonly note?: string;
  readonly idempotencyKey?: string;
}

/** What is sent: the submission, and what was said about it. What was not said is the farm's to default. */
export function submissionBody(submission: Submission, options: SubmissionOptions): SubmitBuild {
  const { text, manifestPath, files, sourceDateEpoch, anySourceDateEpoch } = submission;
  return {
    manifest: text,
    manifestPath,
    files: [...files],
    sourceDateEpoch,
    ...(anySourceDateEpoch ? { anySourceDateEpoch } : {}),
    variants: [...(options.variant ?? [])],
    ...(options.matrix === undefined ? {} : { matrix: options.matrix }),
    ...(options.priority === undefined ? {} : { priority: options.priority }),
    pauseBefore: options.pause ?? null,
    onAgent: options.on ?? null,
    ...(options.replicas === undefined ? {} : { replicas: options.replicas }),
    ...(options.waitForReplicas === true ? { waitForReplicas: true } : {}),
    wait: options.waitForAgents === true,
    ...(options.reuse === undefined ? {} : { reuse: options.reuse }),
    note: options.note ?? '',
    idempotencyKey: options.idempotencyKey ?? null,
  };
}
