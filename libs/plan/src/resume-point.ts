import { decodeFacts, type BoundaryFacts } from './boundary-facts.js';
import type { Checkpoint } from './checkpoint.js';
import type { Boundary, Job, Plan, PlannedStep } from './plan.js';

/** A boundary of the plan together with the checkpoint that holds it. */
export interface HeldBoundary {
  readonly boundary: Boundary;
  readonly checkpoint: Checkpoint;
  readonly facts: BoundaryFacts;
}

/** What the checkpoints at hand are good for. */
export interface ResumableState {
  /** The unbroken chain from the first boundary on; a build may resume in front of any of their steps. */
  readonly held: readonly HeldBoundary[];
  /** Why the chain ends where it does; `null` when every boundary is held. */
  readonly brokenBy: ChainBreak | null;
}

export interface ChainBreak {
  readonly boundary: Boundary;
  readonly reason: ChainBreakReason;
}

export type ChainBreakReason =
  /** No checkpoint of that label: the build never got there, or someone removed it. */
  | { readonly kind: 'absent' }
  /** Its facts are missing, damaged, or written by another version. */
  | { readonly kind: 'unreadable' }
  /** It was taken behind another step than the manifest has there now. */
  | { readonly kind: 'other-order'; readonly foundAfter: string; readonly expectedAfter: string }
  /** It belongs to an older run than the checkpoint in front of it, or to another lineage than was asked for. */
  | { readonly kind: 'other-run' };

/**
 * Walks the plan's boundaries for as long as each is held by a checkpoint that grew out of the one before it. distro_const asked for names
 * only, so leftovers of an older manifest or run could be taken for the present ones.
 */
export function findResumable(plan: Plan, checkpoints: readonly Checkpoint[]): ResumableState {
  return walk(plan.boundaries, checkpoints, null);
}

/**
 * The same for one job by itself, as an agent looks at it: the chain starts at the job's own first boundary, or where it took over a state that another job had made, and every
 * checkpoint of it belongs to the lineage. Unlike a build's, the chain may end with the state the job ends in: then nothing of it is left to run.
 */
export function findResumableInJob(
  plan: Plan,
  job: Job,
  checkpoints: readonly Checkpoint[],
  lineage: Lineage,
): ResumableState {
  const belongs = lineageRule(plan, lineage);
  const boundaries = plan.boundaries.filter((boundary) => boundary.job === job.index);
  return walk(boundaries.slice(beginningOf(boundaries, checkpoints, belongs)), checkpoints, belongs);
}

/** A job that took an equal state over from another one has its first checkpoint there. */
function beginningOf(
  boundaries: readonly Boundary[],
  checkpoints: readonly Checkpoint[],
  belongs: Belongs,
): number {
  const byPlace = new Map(checkpoints.map((checkpoint) => [place(checkpoint), checkpoint]));
  const at = boundaries.findIndex((boundary) => {
    const checkpoint = byPlace.get(place(boundary));
    const facts = checkpoint === undefined ? null : decodeFacts(checkpoint.facts);
    return facts?.previous === '' && belongs(boundary, facts.build);
  });
  return Math.max(0, at);
}

/** Which checkpoints are of the lineage, or good for it. */
export function lineageRule(plan: Plan, lineage: Lineage): Belongs {
  const limits = new Map(
    lineage.ancestry.map(({ lineage: earlier, upTo }) => [earlier, findIndexOf(plan, upTo)]),
  );
  return ({ before }, build) =>
    build === lineage.lineage || (before !== null && before.index <= (limits.get(build) ?? -1));
}

/** What the checkpoints of a job have in common, whichever attempt took them. */
export interface Lineage {
  readonly lineage: string;
  /** Earlier ones that are good up to the boundary in front of a step, to which the job was set back. */
  readonly ancestry: readonly { readonly lineage: string; readonly upTo: string }[];
}

/** Whether a checkpoint of that boundary, whose fact `build` is this, may be gone on from. */
export type Belongs = (boundary: Boundary, build: string) => boolean;

function findIndexOf(plan: Plan, step: string): number {
  return plan.steps.find(({ name }) => name === step)?.index ?? -1;
}

function walk(
  boundaries: readonly Boundary[],
  checkpoints: readonly Checkpoint[],
  belongs: Belongs | null,
): ResumableState {
  const byPlace = new Map(checkpoints.map((checkpoint) => [place(checkpoint), checkpoint]));
  const held: HeldBoundary[] = [];
  for (const boundary of boundaries) {
    const checkpoint = byPlace.get(place(boundary));
    const facts = checkpoint === undefined ? null : decodeFacts(checkpoint.facts);
    const reason = whyNotHeld(boundary, checkpoint, facts, held.at(-1), belongs);
    if (reason !== null) return { held, brokenBy: { boundary, reason } };
    if (checkpoint !== undefined && facts !== null) held.push({ boundary, checkpoint, facts });
  }
  return { held, brokenBy: null };
}

function place(of: { readonly workspace: string; readonly label: string }): string {
  return `${of.workspace}@${of.label}`;
}

function whyNotHeld(
  boundary: Boundary,
  checkpoint: Checkpoint | undefined,
  facts: BoundaryFacts | null,
  previous: HeldBoundary | undefined,
  belongs: Belongs | null,
): ChainBreakReason | null {
  if (checkpoint === undefined) return { kind: 'absent' };
  if (facts === null) return { kind: 'unreadable' };
  const expectedAfter = boundary.after?.name ?? '';
  if (facts.after !== expectedAfter) return { kind: 'other-order', foundAfter: facts.after, expectedAfter };
  if (facts.previous !== (previous?.checkpoint.id ?? '')) return { kind: 'other-run' };
  if (belongs !== null && !belongs(boundary, facts.build)) return { kind: 'other-run' };
  return null;
}

/** Steps a build may resume in front of, in order. */
export function resumableSteps(state: ResumableState): readonly PlannedStep[] {
  return state.held.flatMap(({ boundary }) => (boundary.before === null ? [] : [boundary.before]));
}

/** The chain up to and including the boundary in front of `step`; `null` when the step is not resumable. */
export function chainTo(state: ResumableState, step: PlannedStep): readonly HeldBoundary[] | null {
  const end = state.held.findIndex(({ boundary }) => boundary.before?.index === step.index);
  return end < 0 ? null : state.held.slice(0, end + 1);
}

/** How the manifest differs from what the checkpoints in `chain` were made with. */
export interface ManifestChange {
  /** Steps whose work is in the checkpoint and whose definition is another one now. */
  readonly steps: readonly { readonly name: string; readonly what: readonly ('script' | 'arguments')[] }[];
  /** Something scripts can query changed since these steps ran; names, in order. */
  readonly contentSince: readonly string[];
}

/**
 * Compares meaning, not bytes: white space and messages do not count, script contents and arguments do.
 */
export function findChanges(plan: Plan, chain: readonly HeldBoundary[]): ManifestChange {
  const behind = chain.flatMap(({ boundary, facts }) =>
    boundary.after === null ? [] : [{ step: boundary.after, facts }],
  );
  const steps = behind.flatMap(({ step, facts }) => {
    const what = [
      ...(facts.scriptDigest === step.scriptDigest ? [] : (['script'] as const)),
      ...(facts.argsDigest === step.argsDigest ? [] : (['arguments'] as const)),
    ];
    return what.length === 0 ? [] : [{ name: step.name, what }];
  });
  const contentSince = behind
    .filter(({ facts }) => facts.manifest.content !== plan.digests.content)
    .map(({ step }) => step.name);
  return { steps, contentSince };
}

/**
 * The step to resume at so that nothing changed is kept: the first step whose definition or readable manifest changed. `null` when no step
 * changed in meaning.
 */
export function firstChangedStep(plan: Plan, chain: readonly HeldBoundary[]): PlannedStep | null {
  const change = findChanges(plan, chain);
  const names = new Set([...change.steps.map(({ name }) => name), ...change.contentSince]);
  return plan.steps.find((step) => names.has(step.name)) ?? null;
}
