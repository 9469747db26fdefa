import { areaPath, findBuildArea, type FoundArea } from '#libs/build-area';
import {
  foreseeReuse,
  planKeys,
  recordedStep,
  seesVariable,
  stepChanges,
  stepIngredients,
  type ForeseenStep,
  type PlannedStep,
  type StepThatRuns,
  type VariantToBuild,
} from '#libs/plan';
import { join } from 'node:path';
import { describeFate, sumLine, type FatedStep } from '#libs/watch';
import type { PlanCommandLine } from './command-line.js';
import { EXIT, type ExitStatus } from './exit-status.js';
import { loadBuild, type LoadedBuild } from './load-build.js';
import { flawOf, statesAtHand, type HeldState } from './local-reuse.js';
import { lookAround, type ReuseSite } from './reuse-site.js';

export interface PlanCommand {
  readonly command: PlanCommandLine;
  readonly binFolder: string;
  readonly print: (text: string, status: ExitStatus) => ExitStatus;
  readonly complain: (text: string, status: ExitStatus) => ExitStatus;
  readonly signal: AbortSignal;
}

/** A variant with what its steps depend on here. */
interface LookedAt extends VariantToBuild {
  readonly loaded: LoadedBuild;
  readonly site: ReuseSite;
}

/** As `distro_const plan --json` prints it. */
interface LocalPlan {
  readonly name: string;
  readonly variants: readonly {
    readonly name: string;
    readonly steps: readonly PlannedHere[];
  }[];
  readonly notes: readonly string[];
}

interface PlannedHere extends FatedStep {
  readonly name: string;
  readonly lane: string;
  readonly message: string;
}

/** Says what builds with `--reuse` would do, one after the other. Makes nothing, locks nothing, and runs nothing but fingerprint commands. */
export async function planCommand({
  command,
  binFolder,
  print,
  complain,
  signal,
}: PlanCommand): Promise<ExitStatus> {
  const { manifest: manifestFile, variants: names, cache } = command;
  const looked: LookedAt[] = [];
  let found: FoundArea | null = null;
  for (const name of names.length === 0 ? [''] : new Set(names)) {
    const result = await loadBuild(manifestFile, name === '' ? null : name, new Date(), { everyEnd: true });
    if (!result.ok) return complain(result.message, EXIT.failed);
    const { loaded } = result;
    const { manifest, plan, hostProblems } = loaded;
    if (!manifest.checkpointing) return complain(withoutCheckpoints(manifestFile), EXIT.failed);
    if (hostProblems.length > 0) return complain(hostProblems.join('\n'), EXIT.failed);
    found ??= await findBuildArea(command.buildArea ?? manifest.buildArea);
    const path = await areaPath(found);
    const site = await lookAround({ loaded, manifestFile, areaPath: path, cache, binFolder, signal });
    if (typeof site === 'string')
      return complain(`${site}.`, signal.aborted ? EXIT.interruptedBy(signal.reason) : EXIT.failed);
    const keys = planKeys(plan, manifest, site.world);
    looked.push({ name, plan, keys, pauseBefore: null, loaded, site });
  }
  if (found === null) return EXIT.ok;
  const planned = await planHere(looked, found);
  const text = command.json ? `${JSON.stringify(planned)}\n` : planLines(planned).join('\n');
  return print(text, EXIT.ok);
}

function withoutCheckpoints(manifestFile: string): string {
  return `Checkpointing is not available: checkpoint_enable is false in ${manifestFile}.\nWithout checkpoints every build runs all steps.`;
}

/** States of the build area, and what is wrong with those that cannot be gone to. */
interface AreaStates {
  readonly whole: ReadonlyMap<string, readonly HeldState[]>;
  /** By step key. */
  readonly flaws: ReadonlyMap<string, string>;
}

async function planHere(variants: readonly LookedAt[], found: FoundArea): Promise<LocalPlan> {
  const states = await lookAtStates(variants, found);
  const foreseen = foreseeReuse(variants, states.whole);
  const notes = new Set(variants.flatMap(({ site }) => site.notes));
  return {
    name: variants[0]?.loaded.manifest.name ?? '',
    variants: variants.map((variant) => ({
      name: variant.name === '' ? 'default' : variant.name,
      steps: variant.plan.steps.map((step) => {
        const { name, lane, message } = step;
        const fate = foreseen.get(variant.name)?.get(step.index);
        const usualMs = variant.site.record.usualTime(name);
        return { name, lane, message, usualMs, ...fateOf(fate, step, variant, states) };
      }),
    })),
    notes: [...notes],
  };
}

async function lookAtStates(variants: readonly LookedAt[], found: FoundArea): Promise<AreaStates> {
  const record = variants[0]?.site.record;
  const path = await areaPath(found);
  const whole = new Map<string, readonly HeldState[]>();
  const flaws = new Map<string, string>();
  if (record === undefined || path === null) return { whole, flaws };
  const wanted = new Set(variants.flatMap(({ keys }) => keys.boundaries));
  const workspaces = new Set(variants.flatMap(({ plan }) => plan.jobs.map(({ workspace }) => workspace)));
  for (const workspace of workspaces) {
    const states: HeldState[] = [];
    for (const state of await statesAtHand(found.store, record, workspace)) {
      const flaw = wanted.has(state.key) ? await flawOf(state, found.store, join(path, 'media')) : null;
      if (flaw === null) states.push(state);
      else flaws.set(state.key, flaw);
    }
    whole.set(workspace, states);
  }
  return { whole, flaws };
}

function fateOf(
  fate: ForeseenStep | undefined,
  step: PlannedStep,
  variant: LookedAt,
  states: AreaStates,
): Pick<FatedStep, 'fate' | 'of' | 'why'> {
  switch (fate?.kind) {
    case 'reused':
      return { fate: 'reused', of: `checkpoint ${fate.checkpoint}`, why: '' };
    case 'shared':
      return { fate: 'shared', of: fate.with === '' ? 'default' : fate.with, why: '' };
    case 'runs':
      return { fate: 'runs', of: null, why: whyRuns(fate, step, variant, states) };
    case undefined:
      return { fate: 'runs', of: null, why: '' };
  }
}

function whyRuns(
  { isBehind, isUnknown }: StepThatRuns,
  step: PlannedStep,
  { name, loaded, site, plan, keys }: LookedAt,
  { flaws }: AreaStates,
): string {
  const { record, world } = site;
  const ingredients = stepIngredients(step, loaded.manifest, world);
  if (ingredients === null) {
    return isUnknown && seesVariable(step, 'DC_MANIFEST_FOLDER') && world.filesDigest === null
      ? 'it sees what lies with the manifest (DC_MANIFEST_FOLDER), which is too much to compare'
      : '';
  }
  const earlier = record.earlierStep(name, step.name);
  if (earlier === null) return 'it has not run here yet';
  const changes = stepChanges(earlier.step, recordedStep(ingredients));
  if (changes.length > 0) return `since ${earlier.build}, ${changes.join('; ')}`;
  if (isBehind) return '';
  const behind = plan.boundaries.find(({ after }) => after?.index === step.index);
  const flaw = behind === undefined ? undefined : flaws.get(keys.boundaries[behind.index] ?? '');
  return flaw ?? `what ${earlier.build} made of it is gone`;
}

function planLines({ name, variants, notes }: LocalPlan): readonly string[] {
  const lines = variants.flatMap((variant) => [
    ...(variants.length > 1 ? ['', `variant ${variant.name}`] : []),
    ...variant.steps.map((step) => {
      const fate = describeFate(step);
      return `  ${step.name.padEnd(16)} ${step.message}${fate === '' ? '' : `  ${fate}`}`;
    }),
  ]);
  const sum = sumLine(variants.flatMap(({ steps }) => steps));
  return [name, ...lines, ...sum, ...notes.map((note) => `note: ${note}`), ''];
}
