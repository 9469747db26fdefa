import { filesDigest, fingerprintOf, type KeyWorld } from '#libs/plan';
import type { AgentRow } from '#libs/store';
import type { PlannedSubmission, PlannedVariant } from './plan-submission.js';

/**
 * What the submission's step keys depend on besides its manifest. Of a tool count all versions that agents have, since any of these agents may run the step: with a tool's upgrade on the
 * first of them, what was made before is no longer the same.
 */
export function keyWorldOf(
  { files, scripts, manifestPath }: PlannedSubmission,
  sourceDateEpoch: number,
  agents: readonly AgentRow[],
): KeyWorld {
  const toolVersions = new Map<string, string[]>();
  for (const { facts, revokedAt } of agents) {
    if (revokedAt !== null) continue;
    for (const [tool, version] of Object.entries(facts.tools)) {
      const versions = toolVersions.get(tool) ?? [];
      if (!versions.includes(version)) toolVersions.set(tool, [...versions, version]);
    }
  }
  // Steps have scripts in their keys already, each its own.
  const known = new Set([manifestPath, ...scripts.map(({ path }) => path)]);
  const others = files.filter(({ path }) => !known.has(path));
  return {
    sourceDateEpoch,
    fingerprints: new Map(),
    toolVersions,
    filesDigest: filesDigest(others),
  };
}

/** With what the commands of the variant's steps wrote, by index of the step; those that are not known are left out. */
export function withFingerprints(
  world: KeyWorld,
  { plan, fingerprints }: Pick<PlannedVariant, 'plan' | 'fingerprints'>,
  outputs: ReadonlyMap<number, string>,
): KeyWorld {
  const known = fingerprints.flatMap(({ step, command, program }) => {
    const output = outputs.get(step);
    const name = plan.steps[step]?.name;
    return output === undefined || name === undefined
      ? []
      : [[name, fingerprintOf(command, program, output)] as const];
  });
  return { ...world, fingerprints: new Map(known) };
}
