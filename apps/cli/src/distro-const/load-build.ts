import {
  chooseVariants,
  formatProblem,
  parseManifest,
  placeOfStep,
  resolveVariant,
  type Manifest,
  type ManifestProblem,
} from '#libs/manifest';
import { planBuild, type Plan, type PlanOptions, type ScriptSource } from '#libs/plan';
import { includesBelow, missingTools, readScript, scriptPath, SYSTEM_PATH } from '#libs/steps';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** A manifest read from disk and planned; nothing else has been touched. */
export interface LoadedBuild {
  readonly manifest: Manifest;
  readonly plan: Plan;
  /** When the manifest, or a file that it includes, last changed: the default SOURCE_DATE_EPOCH. */
  readonly manifestChangedAt: Date;
  /** Scripts and tools that are missing here. A listing goes on, a build does not. */
  readonly hostProblems: readonly string[];
}

export type LoadResult =
  { readonly ok: true; readonly loaded: LoadedBuild } | { readonly ok: false; readonly message: string };

/**
 * @param variant name; `null`: the manifest as it is
 * @param options of the plan
 */
export async function loadBuild(
  file: string,
  variant: string | null,
  now: Date,
  options: PlanOptions = {},
): Promise<LoadResult> {
  const text = await readManifest(file);
  if (typeof text === 'string') return { ok: false, message: text };
  const parsed = parseManifest(text.content, { file, now, included: includesBelow(dirname(file)) });
  if (!parsed.ok) return { ok: false, message: describeProblems(file, parsed.problems) };
  const resolved = variant === null ? parsed.manifest : asVariant(file, parsed.manifest, variant);
  if (typeof resolved === 'string') return { ok: false, message: resolved };
  const manifest = resolved;
  const looked = await Promise.all(
    manifest.steps.map(async (step) => {
      const path = resolve(scriptPath(file, step.script));
      return { step, path, result: await readScript(path) };
    }),
  );
  const sources = looked.map(({ path, result }): ScriptSource =>
    result.ok ? result.script : { path, digest: '', reads: null, environment: [] },
  );
  const problems = looked.map(async ({ step, path, result }) => {
    const where = `${placeOfStep(file, step)}: step "${step.name}":`;
    const tools = await missingTools(step.requires.tools, SYSTEM_PATH);
    return [
      ...(result.ok ? [] : [`${where} ${path} ${result.reason}; expected an executable file`]),
      ...tools.map((tool) => `${where} needs ${tool} (farm:requires), which is in none of ${SYSTEM_PATH}`),
    ];
  });
  const hostProblems = (await Promise.all(problems)).flat();
  const plan = planBuild(manifest, text.content, sources, options);
  const manifestChangedAt = await lastChange(file, text.changedAt, manifest.includes);
  return { ok: true, loaded: { manifest, plan, manifestChangedAt, hostProblems } };
}

async function lastChange(file: string, changedAt: Date, includes: readonly string[]): Promise<Date> {
  const included = await Promise.all(
    includes.map(async (path) => (await stat(join(dirname(file), path))).mtime),
  );
  return [changedAt, ...included].reduce((latest, each) => (each > latest ? each : latest));
}

/** A string is the reason why it cannot be built. */
function asVariant(file: string, manifest: Manifest, name: string): Manifest | string {
  const chosen = chooseVariants(manifest, { names: [name], matrix: new Map() });
  if (!chosen.ok) return `${file}: ${chosen.reason}. ${chosen.hint}`;
  const [variant] = chosen.variants;
  if (variant === undefined) return manifest;
  const resolved = resolveVariant(manifest, variant);
  return resolved.ok ? resolved.manifest : describeProblems(file, resolved.problems);
}

/** A string is the reason why it cannot be read. */
async function readManifest(
  file: string,
): Promise<{ readonly content: string; readonly changedAt: Date } | string> {
  try {
    const [content, { mtime }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    return { content, changedAt: mtime };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'it is a directory' : message;
    return `The manifest file ${file} cannot be read: ${reason}.`;
  }
}

function describeProblems(file: string, problems: readonly ManifestProblem[]): string {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  return [`The manifest ${file} has ${count}; nothing was built:`, ...problems.map(formatProblem)].join('\n');
}
