import type { Manifest } from '#libs/manifest';
import { fingerprintOf, seesVariable, type KeyWorld, type Plan, type PlannedStep } from '#libs/plan';
import {
  answerFromManifest,
  fingerprintProgram,
  ownVariables,
  readScript,
  runFingerprint,
  toolVersions,
} from '#libs/steps';
import { digestBeside } from './files-beside.js';

export interface WorldHere {
  readonly manifest: Manifest;
  readonly manifestFile: string;
  readonly plan: Plan;
  /** Seconds since 1970. */
  readonly imageTime: number;
  /** Of the steps. */
  readonly environment: Readonly<Record<string, string>>;
  /** Folders that are no part of what lies with the manifest: build area, cache. */
  readonly leftOut: readonly string[];
  readonly signal: AbortSignal;
}

/** What was asked of a step's fingerprint command, with what it said. */
export type AskedFingerprint =
  { readonly ok: true; readonly fingerprint: string } | { readonly ok: false; readonly reason: string };

/** What the step keys of a plan depend on besides it, on this machine. A string says why one of the fingerprints is not known. */
export async function keyWorldHere(here: WorldHere): Promise<KeyWorld | string> {
  const { manifest, plan, leftOut } = here;
  const looksAround = plan.steps.some((step) => seesVariable(step, 'DC_MANIFEST_FOLDER'));
  const scripts = plan.steps.map(({ script }) => script);
  const [versions, filesDigest] = await Promise.all([
    toolVersions(
      manifest.steps.flatMap(({ requires }) => requires.tools),
      null,
    ),
    looksAround ? digestBeside(here.manifestFile, [...scripts, ...leftOut]) : null,
  ]);
  const fingerprints = new Map<string, string>();
  for (const step of plan.steps) {
    const asked = await askFingerprint(step, here);
    if (asked === null) continue;
    if (!asked.ok) return asked.reason;
    fingerprints.set(step.name, asked.fingerprint);
  }
  return {
    sourceDateEpoch: here.imageTime,
    fingerprints,
    toolVersions: new Map(Object.entries(versions).map(([tool, version]) => [tool, [version]])),
    filesDigest,
    oneMediaFolder: true,
  };
}

/** `null`: the step declares none. */
export async function askFingerprint(step: PlannedStep, here: WorldHere): Promise<AskedFingerprint | null> {
  const { manifest, manifestFile, environment, signal } = here;
  const command = manifest.steps[step.index]?.fingerprint ?? null;
  if (command === null) return null;
  const file = fingerprintProgram(manifestFile, command);
  const program = file === null ? null : await readScript(file);
  const result = await runFingerprint({
    step,
    command,
    manifestFile,
    answer: answerFromManifest(manifest, step, () => undefined),
    environment: { ...environment, ...ownVariables(step, manifest) },
    signal,
  });
  if (!result.ok) return { ok: false, reason: result.reason };
  const digest = program?.ok === true ? program.script.digest : null;
  return { ok: true, fingerprint: fingerprintOf(command, digest, result.output) };
}
