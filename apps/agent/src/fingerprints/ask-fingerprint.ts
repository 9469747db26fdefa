import type { Manifest } from '#libs/manifest';
import type { PlannedStep } from '#libs/plan';
import {
  answerFromManifest,
  ownVariables,
  runFingerprint,
  stepEnvironment,
  type FingerprintResult,
} from '#libs/steps';
import { mkdir } from 'node:fs/promises';

/** What steps find on this agent, whatever they are of. */
export interface StepSurroundings {
  /** Folder of ManifestRead. */
  readonly binFolder: string;
  readonly cacheFolder: string;
  /** Of this process: proxies are passed on to steps. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What the step's fingerprint command says now, run as the step is. Throws RangeError for a step without one. */
export async function askFingerprint(
  { manifest, step, sourceDateEpoch }: { manifest: Manifest; step: PlannedStep; sourceDateEpoch: number },
  { binFolder, cacheFolder, environment: caller }: StepSurroundings,
  note: (text: string) => void,
  signal: AbortSignal,
): Promise<FingerprintResult> {
  const command = manifest.steps[step.index]?.fingerprint ?? null;
  if (command === null) throw new RangeError(`step "${step.name}" declares no fingerprint`);
  await mkdir(cacheFolder, { recursive: true, mode: 0o755 });
  return await runFingerprint({
    step,
    command,
    manifestFile: manifest.file,
    answer: answerFromManifest(manifest, step, note),
    environment: {
      ...stepEnvironment({ sourceDateEpoch, binFolder, cacheFolder, caller }),
      ...ownVariables(step, manifest),
    },
    signal,
  });
}
