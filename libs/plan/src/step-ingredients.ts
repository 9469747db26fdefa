import { manifestContent, readContent, readsCover, type Manifest } from '#libs/manifest';
import { createHash } from 'node:crypto';
import type { PlannedStep } from './plan.js';

/** What a step's result depends on and no plan says. */
export interface KeyWorld {
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number;
  /** `fingerprintOf` the steps that declare a fingerprint, by step name. */
  readonly fingerprints: ReadonlyMap<string, string>;
  /** Versions that a required tool may have where the step runs, by its name. */
  readonly toolVersions: ReadonlyMap<string, readonly string[]>;
  /** Digest of the files that lie with the manifest (`filesDigest`); `null`: unknown. */
  readonly filesDigest: string | null;
  /** All jobs write to the same media folder, as on one machine; on a farm, each has its own. */
  readonly oneMediaFolder?: boolean;
}

/**
 * All that a step can see, but for the state that it starts from. Two steps with the same ingredients, from the same state, do the same. Contains what passwords the step
 * reads: digest it, never show or log it.
 */
export interface StepIngredients {
  readonly script: string;
  readonly args: readonly string[];
  /** Content by declared nodepath, in the order of their names; one for the whole manifest (nodepath ``) where nothing is declared. */
  readonly reads: readonly (readonly [nodepath: string, content: string])[];
  /** The `DC_…` variables that differ from step to step and image to image, as far as it gets them. */
  readonly variables: readonly (readonly [name: string, value: string])[];
  /** Empty: it declares none. */
  readonly fingerprint: string;
  readonly tools: readonly (readonly [tool: string, versions: readonly string[]])[];
  readonly sourceDateEpoch: number;
}

/** Variables that a script with declared reads gets only when its header's `# farm:environment:` names them. */
export type DeclarableVariable = 'DC_STEP' | 'DC_LANE' | 'DC_MANIFEST_FOLDER';

/** Whether the step finds the variable in its environment. What it does not declare it does not get, so that no declaration is wrong silently. */
export function seesVariable(step: PlannedStep, variable: DeclarableVariable | 'DC_DISTRIBUTION'): boolean {
  if (step.reads === null) return true;
  return variable === 'DC_DISTRIBUTION'
    ? readsCover(step.reads, 'name')
    : step.environment.includes(variable);
}

/** What is at a nodepath of the manifest; at the empty one, all of it. Remembers: steps read the same, and a manifest may be large. */
export function contentsOf(manifest: Manifest): (nodepath: string) => string {
  const known = contents.get(manifest) ?? new Map<string, string>();
  contents.set(manifest, known);
  return (nodepath) => {
    const content =
      known.get(nodepath) ??
      (nodepath === '' ? manifestContent(manifest) : readContent(manifest.root, nodepath));
    known.set(nodepath, content);
    return content;
  };
}

const contents = new WeakMap<Manifest, Map<string, string>>();

/** `null`: something of it is not known, so nobody can say whether another step does the same. */
export function stepIngredients(
  step: PlannedStep,
  manifest: Manifest,
  world: KeyWorld,
  contentOf = contentsOf(manifest),
): StepIngredients | null {
  const declared = manifest.steps[step.index];
  if (declared === undefined) throw new RangeError(`the manifest has no step ${step.index}`);
  const fingerprint = declared.fingerprint === null ? '' : world.fingerprints.get(step.name);
  const variables = variablesOf(step, manifest, world);
  if (step.scriptDigest === '' || fingerprint === undefined || variables === null) return null;
  return {
    script: step.scriptDigest,
    args: step.args,
    reads: (step.reads === null ? [''] : [...new Set(step.reads)].toSorted()).map(
      (path) => [path, contentOf(path)] as const,
    ),
    variables,
    fingerprint,
    tools: declared.requires.tools
      .toSorted()
      .map((tool) => [tool, (world.toolVersions.get(tool) ?? []).toSorted()] as const),
    sourceDateEpoch: world.sourceDateEpoch,
  };
}

function variablesOf(
  step: PlannedStep,
  manifest: Manifest,
  { filesDigest }: KeyWorld,
): StepIngredients['variables'] | null {
  const values = [
    ['DC_DISTRIBUTION', manifest.name],
    ['DC_LANE', step.lane],
    ['DC_MANIFEST_FOLDER', filesDigest],
    ['DC_STEP', step.name],
  ] as const;
  const seen: (readonly [string, string])[] = [];
  for (const [name, value] of values) {
    if (!seesVariable(step, name)) continue;
    if (value === null) return null;
    seen.push([name, value]);
  }
  return seen;
}

/**
 * What of a fingerprint enters the key: what was asked, and the answer.
 *
 * @param program digest of the command's program where that is a file that lies with the manifest, as `ScriptSource.digest`; `null`: a program of the steps' PATH
 * @param output digest of what it wrote
 */
export function fingerprintOf(command: readonly string[], program: string | null, output: string): string {
  return digestOf('fingerprint', command, program, output);
}

/**
 * What the answer to a fingerprint depends on and a farm knows: two of the same digest, asked at the same time, have the same answer. `null`: the step sees what nobody knows, so it has no key
 * anyhow.
 */
export function fingerprintQuestion(
  step: PlannedStep,
  manifest: Manifest,
  world: KeyWorld,
  { command, program }: { readonly command: readonly string[]; readonly program: string | null },
  contentOf = contentsOf(manifest),
): string | null {
  const answered = { ...world, fingerprints: new Map([[step.name, '']]) };
  const ingredients = stepIngredients(step, manifest, answered, contentOf);
  if (ingredients === null) return null;
  const { reads, variables, tools, sourceDateEpoch } = ingredients;
  return digestOf('question', command, program, reads, variables, tools, sourceDateEpoch);
}

/** SHA-256 (hex) of values whose JSON is the same wherever it is made: lists of text and numbers, and objects of one shape. */
export function digestOf(...values: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('hex');
}
