import type { Assignment } from '#libs/contracts';
import { applyVariant, findVariant, formatProblem, parseManifest, type Manifest } from '#libs/manifest';
import { planBuild, type Job, type Plan, type ScriptSource } from '#libs/plan';
import { fingerprintProgram, includesBelow, readScript, scriptPath } from '#libs/steps';
import { dirname, isAbsolute, sep } from 'node:path';
import { AttemptFault } from './attempt-end.js';

/** An assignment understood: the same plan as the coordinator's, with the scripts as they lie here. */
export interface LoadedAssignment {
  readonly manifest: Manifest;
  readonly plan: Plan;
  readonly job: Job;
}

/**
 * Plans the assignment's variant. Throws AttemptFault `agent` when this agent reads the manifest differently from the coordinator: it must not run what nobody
 * planned.
 *
 * @param bundle folder with the submission's files, the manifest in its place
 */
export async function loadAssignment(
  assignment: Assignment,
  bundle: string,
  manifestFile: string,
): Promise<LoadedAssignment> {
  const { manifest, plan } = await loadVariant(assignment, bundle, manifestFile);
  const job = plan.jobs[assignment.jobIndex];
  if (job === undefined) throw new AttemptFault('agent', `the plan has no job ${assignment.jobIndex}`);
  return { manifest, plan, job };
}

type VariantRequest = Pick<Assignment, 'manifest' | 'variant' | 'planContentSha256'>;

/** The same without a job. */
export async function loadVariant(
  assignment: VariantRequest,
  bundle: string,
  manifestFile: string,
): Promise<Pick<LoadedAssignment, 'manifest' | 'plan'>> {
  const manifest = readManifest(assignment, manifestFile);
  for (const { fingerprint } of manifest.steps) {
    const program = fingerprint === null ? null : fingerprintProgram(manifestFile, fingerprint);
    if (program !== null && !program.startsWith(bundle + sep))
      throw new AttemptFault('agent', `the fingerprint program ${program} is none of the submission's files`);
  }
  const sources = await Promise.all(
    manifest.steps.map(({ script }) => sourceOf(scriptPath(manifestFile, script), script, bundle)),
  );
  const plan = planBuild(manifest, assignment.manifest, sources);
  if (plan.digests.content !== assignment.planContentSha256) {
    throw new AttemptFault(
      'agent',
      `this agent reads the manifest differently: its content is ${plan.digests.content}, the coordinator says ${assignment.planContentSha256}; give both the same version`,
    );
  }
  return { manifest, plan };
}

function readManifest(assignment: VariantRequest, file: string): Manifest {
  const parsed = parseManifest(assignment.manifest, {
    file,
    now: new Date(),
    included: includesBelow(dirname(file)),
  });
  if (!parsed.ok) {
    const [problem] = parsed.problems;
    const first = problem === undefined ? '' : `: ${formatProblem(problem)}`;
    throw new AttemptFault('agent', `this agent does not take the manifest${first}`);
  }
  const { manifest } = parsed;
  const variant = findVariant(manifest, assignment.variant);
  if (variant === null)
    throw new AttemptFault('agent', `the manifest has no variant "${assignment.variant}"`);
  return applyVariant(manifest, variant);
}

/** A script that is not there makes its step fail when it comes to it, in words of its own. */
async function sourceOf(path: string, script: string, bundle: string): Promise<ScriptSource> {
  if (!isAbsolute(script) && !path.startsWith(bundle + sep)) {
    throw new AttemptFault('agent', `the script ${script} leads out of the submission's files`);
  }
  const result = await readScript(path);
  return result.ok ? result.script : { path, digest: '', reads: null, environment: [] };
}
