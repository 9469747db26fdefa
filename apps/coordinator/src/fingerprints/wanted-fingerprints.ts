import type { AgentId } from '#libs/contracts';
import { contentsOf, fingerprintQuestion, imageArchitecture, type KeyWorld } from '#libs/plan';
import type { FingerprintRequestRecord, Flag } from '#libs/store';
import { createHash } from 'node:crypto';
import type { PlannedSubmission, PlannedVariant } from '../builds/plan-submission.js';

/** A step's fingerprint that has to be known before its key is. */
export interface WantedFingerprint {
  readonly variant: PlannedVariant;
  /** Index of the step. */
  readonly index: number;
  readonly step: string;
  /** Equal for those that are one ask. */
  readonly digest: string;
  readonly request: FingerprintRequestRecord;
}

/**
 * What has to be asked for a submission. What untrusted users submit is asked for by itself: a program may read files beside it that are not in the digest of what is asked, and theirs
 * may be others.
 */
export function wantedFingerprints(
  planned: PlannedSubmission,
  world: KeyWorld,
  { onAgent, trusted }: { readonly onAgent: AgentId | null; readonly trusted: Flag },
): readonly WantedFingerprint[] {
  const files = planned.files.map(({ path, executable, sha256, bytes }) => ({
    ...{ path, executable, sha256 },
    bytes: bytes.length,
  }));
  return planned.variants.flatMap((variant) => {
    if (variant.fingerprints.length === 0) return [];
    const { manifest, plan } = variant;
    const contentOf = contentsOf(manifest);
    return variant.fingerprints.flatMap((fingerprint): readonly WantedFingerprint[] => {
      const job = plan.jobs.find(({ steps }) => steps.some(({ index }) => index === fingerprint.step));
      const step = plan.steps[fingerprint.step];
      const requires = manifest.steps[fingerprint.step]?.requires;
      if (job === undefined || step === undefined || requires === undefined) return [];
      const question = fingerprintQuestion(step, manifest, world, fingerprint, contentOf);
      if (question === null) return [];
      const who = {
        onAgent,
        requires: {
          architecture: imageArchitecture(job),
          labels: [...requires.labels].toSorted(),
          tools: [...requires.tools].toSorted(),
          freeBytes: 0,
        },
      };
      return [
        {
          ...{ variant, index: step.index, step: step.name },
          digest: digestOf([question, trusted, who]),
          request: {
            ...{ manifestSha256: planned.manifestSha256, manifestPath: planned.manifestPath, files },
            ...{ variant: variant.name, step: step.name, sourceDateEpoch: world.sourceDateEpoch },
            planContentSha256: plan.digests.content,
            ...who,
          },
        },
      ];
    });
  });
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
