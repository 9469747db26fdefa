import { FarmError, type AcceptedSubmission, type SubmittedFile } from '#libs/contracts';
import {
  chooseVariants,
  formatProblem,
  parseManifest,
  placeOfStep,
  resolveVariant,
  stepPrograms,
  type Manifest,
  type ManifestProblem,
  type ManifestStep,
  type Variant,
} from '#libs/manifest';
import { findStep, planBuild, type Plan, type ScriptSource } from '#libs/plan';
import { fingerprintProgram, includesBelow, readScript, type ScriptFile, scriptPath } from '#libs/steps';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { setImmediate } from 'node:timers/promises';

/** A submission that has been read and found buildable; nothing of it is kept yet. */
export interface PlannedSubmission {
  readonly name: string;
  readonly manifestSha256: string;
  readonly manifestPath: string;
  readonly variants: readonly PlannedVariant[];
  /** As the manifest has it. */
  readonly replicas: number | null;
  readonly waitsForReplicas: boolean;
  readonly files: readonly PlannedFile[];
  /** What the steps and their fingerprint commands run of the submission, by path in it; digests are of the catalogue's kind. */
  readonly scripts: readonly { readonly path: string; readonly sha256: string }[];
  /** Fingerprint commands that are programs of the agent's. */
  readonly commands: readonly { readonly step: string; readonly program: string }[];
  /** Step names at which a pause was asked for exist in every variant that has steps. */
  readonly notes: readonly string[];
}

export interface PlannedVariant {
  readonly name: string;
  readonly isOptional: boolean;
  readonly manifest: Manifest;
  readonly plan: Plan;
  readonly fingerprints: readonly PlannedFingerprint[];
}

export interface PlannedFingerprint {
  /** Index of the step. */
  readonly step: number;
  readonly command: readonly string[];
  /** Digest of its program; `null`: one of the steps' PATH. */
  readonly program: string | null;
}

export interface PlannedFile {
  readonly path: string;
  readonly executable: boolean;
  readonly sha256: string;
  readonly bytes: Buffer;
}

interface ResolvedSubmission {
  readonly variant: Variant;
  readonly manifest: Manifest;
}

/** Leases are renewed between them. */
const VARIANTS_AT_A_TIME = 20;
/** What is wrong with one combination is often wrong with hundreds. */
const MOST_PROBLEMS = 20;

/**
 * Reads a submission as `distro_const` reads a manifest and its scripts from disk, in a folder of its own that is gone afterwards. Throws
 * MANIFEST_INVALID with every problem at its line, or INVALID.
 *
 * @param scratch folder to work in; must exist
 */
export async function planSubmission(
  submission: AcceptedSubmission,
  scratch: string,
  now: Date,
): Promise<PlannedSubmission> {
  const files = decodeFiles(submission.files);
  const root = await mkdtemp(join(scratch, 'submission-'));
  try {
    await layOut(root, submission, files);
    const file = join(root, submission.manifestPath);
    const parsed = parseManifest(submission.manifest, {
      file: submission.manifestPath,
      now,
      included: includesBelow(dirname(file)),
    });
    if (!parsed.ok) throw manifestInvalid(parsed.problems, submission.manifestPath);
    const { manifest } = parsed;
    const variants = await resolvedVariants(manifest, submission);
    const scripts = await readPrograms(variants, file, root, submission.manifestPath);
    const planned: PlannedVariant[] = [];
    for (const [index, { variant, manifest: resolved }] of variants.entries()) {
      if (index % VARIANTS_AT_A_TIME === 0) await setImmediate();
      const sources = resolved.steps.map((step) => sourceOf(scripts, scriptPath(file, step.script)));
      const plan = planBuild(resolved, submission.manifest, sources);
      const { name, isOptional } = variant;
      const fingerprints = fingerprintsOf(resolved, scripts, file);
      planned.push({ name, isOptional, manifest: resolved, plan, fingerprints });
    }
    for (const { name, plan } of planned) requireStep(plan, submission.pauseBefore, name);
    return {
      name: manifest.name,
      manifestSha256: createHash('sha256').update(submission.manifest).digest('hex'),
      manifestPath: submission.manifestPath,
      variants: planned,
      replicas: manifest.replicas,
      waitsForReplicas: manifest.waitsForReplicas,
      files,
      scripts: [...scripts].map(([path, { digest }]) => ({ path: relative(root, path), sha256: digest })),
      commands: commandsOf(variants, file),
      notes: manifest.notes.map(formatProblem),
    };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function decodeFiles(files: readonly SubmittedFile[]): readonly PlannedFile[] {
  const seen = new Set<string>();
  return files.map(({ path, executable, base64 }) => {
    if (seen.has(path)) throw new FarmError('INVALID', `the submission has two files "${path}"`);
    seen.add(path);
    const bytes = Buffer.from(base64, 'base64');
    return { path, executable, sha256: createHash('sha256').update(bytes).digest('hex'), bytes };
  });
}

/** Paths are relative and without `..` (RelativePath), and nothing but this writes here, so no link can lead out. */
async function layOut(
  root: string,
  { manifest, manifestPath }: AcceptedSubmission,
  files: readonly PlannedFile[],
): Promise<void> {
  const all = [
    ...files.filter(({ path }) => path !== manifestPath),
    { path: manifestPath, executable: false, bytes: Buffer.from(manifest) },
  ];
  for (const { path, executable, bytes } of all) {
    const target = join(root, path);
    try {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, bytes, { mode: executable ? 0o755 : 0o644, flag: 'wx' });
    } catch (error) {
      if (!isInTheWay(error)) throw error;
      throw new FarmError(
        'INVALID',
        `the file "${path}" of the submission cannot be placed: another one is in its way`,
        null,
        [],
        { cause: error },
      );
    }
  }
}

/** A file where a folder is to be, or the other way round; anything else (no room, say) is not the submission's fault. */
function isInTheWay(error: unknown): boolean {
  return ['EEXIST', 'EISDIR', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function manifestInvalid(problems: readonly ManifestProblem[], path: string): FarmError {
  const lines = problems.map(formatProblem);
  const count = lines.length === 1 ? 'one problem' : `${lines.length} problems`;
  return new FarmError('MANIFEST_INVALID', `the manifest ${path} has ${count}`, null, lines);
}

/** Throws INVALID for variants that the manifest does not have, MANIFEST_INVALID for combinations that are not in order. */
async function resolvedVariants(
  manifest: Manifest,
  { variants: names, matrix, manifestPath }: AcceptedSubmission,
): Promise<readonly ResolvedSubmission[]> {
  const chosen = chooseVariants(manifest, { names, matrix: new Map(Object.entries(matrix)) });
  if (!chosen.ok) throw new FarmError('INVALID', chosen.reason, chosen.hint);
  const resolved: ResolvedSubmission[] = [];
  const problems = new Map<string, ManifestProblem>();
  for (const [index, variant] of chosen.variants.entries()) {
    if (index % VARIANTS_AT_A_TIME === 0) await setImmediate();
    const result = resolveVariant(manifest, variant);
    if (result.ok) resolved.push({ variant, manifest: result.manifest });
    else for (const problem of result.problems) problems.set(formatProblem(problem), problem);
    if (problems.size >= MOST_PROBLEMS) break;
  }
  if (problems.size > 0) throw manifestInvalid([...problems.values()], manifestPath);
  return resolved;
}

/** By absolute path; every step's script and fingerprint program once, whatever the number of variants. */
async function readPrograms(
  variants: readonly { readonly manifest: Manifest }[],
  manifestFile: string,
  root: string,
  manifestPath: string,
): Promise<ReadonlyMap<string, ScriptFile>> {
  const found = new Map<string, ScriptFile>();
  const problems = new Set<string>();
  const all = variants.flatMap(({ manifest }) =>
    manifest.steps.flatMap((step) => programsOf(step, manifestFile)),
  );
  for (const { step, path, what } of all) {
    if (found.has(path)) continue;
    const where = `${placeOfStep(manifestPath, step)}: step "${step.name}": ${what}`;
    if (!path.startsWith(`${root}/`)) {
      problems.add(`${where} lies outside of the submission; expected a path below its root`);
      continue;
    }
    const result = await readScript(path);
    if (result.ok) found.set(path, result.script);
    else problems.add(`${where} ${result.reason}; expected an executable file among the submitted ones`);
  }
  if (problems.size === 0) return found;
  throw new FarmError(
    'MANIFEST_INVALID',
    `the manifest ${manifestPath} needs scripts that were not submitted`,
    null,
    [...problems],
  );
}

/** What is to lie with the manifest for the step. */
function programsOf(
  step: ManifestStep,
  manifestFile: string,
): readonly { readonly step: ManifestStep; readonly path: string; readonly what: string }[] {
  return stepPrograms(step).map(({ what, path }) => ({
    step,
    path: scriptPath(manifestFile, path),
    what: `${what} ${path}`,
  }));
}

function fingerprintsOf(
  { steps }: Manifest,
  programs: ReadonlyMap<string, ScriptFile>,
  manifestFile: string,
): readonly PlannedFingerprint[] {
  return steps.flatMap(({ index, fingerprint: command }) => {
    if (command === null) return [];
    const path = fingerprintProgram(manifestFile, command);
    return [{ step: index, command, program: path === null ? null : sourceOf(programs, path).digest }];
  });
}

function commandsOf(
  variants: readonly ResolvedSubmission[],
  manifestFile: string,
): PlannedSubmission['commands'] {
  const byStep = new Map<string, string>();
  for (const { name, fingerprint } of variants.flatMap(({ manifest }) => manifest.steps))
    if (fingerprint !== null && fingerprintProgram(manifestFile, fingerprint) === null)
      byStep.set(name, fingerprint[0] ?? '');
  return [...byStep].map(([step, program]) => ({ step, program }));
}

function sourceOf(scripts: ReadonlyMap<string, ScriptFile>, path: string): ScriptSource {
  const script = scripts.get(path);
  if (script === undefined) throw new RangeError(`script ${path} was not read`);
  return script;
}

function requireStep(plan: Plan, reference: string | null, variant: string): void {
  if (reference === null || findStep(plan, reference) !== null) return;
  const names = plan.steps.map(({ index, name }) => `${index} ${name}`);
  throw new FarmError(
    'INVALID',
    `variant "${variant}" has no step "${reference}" to pause before`,
    'Its steps:',
    names,
  );
}
