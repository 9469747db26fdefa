import type { Plan, PlannedStep } from './plan.js';
import {
  chainTo,
  findChanges,
  firstChangedStep,
  resumableSteps,
  type ChainBreak,
  type HeldBoundary,
  type ManifestChange,
  type ResumableState,
} from './resume-point.js';

/** What a user asked for with `-r`, `-R`, `-p`, or the manifest with `resume_from`. */
export interface StartRequest {
  readonly resume: ResumeRequest;
  readonly pauseBefore: PlannedStep | null;
  readonly ifChanged: ChangePolicy;
}

export type ResumeRequest =
  | { readonly kind: 'none' }
  /** At the step where the last build stopped; after a complete build, its last step. */
  | { readonly kind: 'latest' }
  | { readonly kind: 'step'; readonly step: PlannedStep };

/** When the manifest or a script changed under the checkpoints: resume with a warning, refuse, or resume earlier, at the first change. */
export type ChangePolicy = 'warn' | 'refuse' | 'restart';

export type StartDecision =
  | { readonly kind: 'from-empty' }
  | { readonly kind: 'resume'; readonly chain: readonly HeldBoundary[]; readonly change: ManifestChange }
  | { readonly kind: 'refused'; readonly refusal: StartRefusal };

export type StartRefusal =
  | { readonly kind: 'nothing-resumable'; readonly brokenBy: ChainBreak | null }
  | {
      readonly kind: 'not-resumable';
      readonly step: PlannedStep;
      readonly resumable: readonly PlannedStep[];
      readonly brokenBy: ChainBreak | null;
    }
  | { readonly kind: 'pause-not-later'; readonly pause: PlannedStep; readonly resume: PlannedStep }
  | { readonly kind: 'manifest-changed'; readonly change: ManifestChange };

/** Finds a step as distro_const does: by name, else by number from 0. `null` when there is none. */
export function findStep(plan: Plan, nameOrNumber: string): PlannedStep | null {
  const byName = plan.steps.find((step) => step.name === nameOrNumber);
  if (byName !== undefined) return byName;
  return /^\d+$/.test(nameOrNumber) ? (plan.steps[Number(nameOrNumber)] ?? null) : null;
}

/** Where a build starts. Changes nothing and may be asked again when the area is locked. */
export function chooseStart(plan: Plan, state: ResumableState, request: StartRequest): StartDecision {
  if (request.resume.kind === 'none') return { kind: 'from-empty' };
  const resumable = resumableSteps(state);
  const latest = resumable.at(-1);
  if (latest === undefined) return refused({ kind: 'nothing-resumable', brokenBy: state.brokenBy });
  const step = request.resume.kind === 'latest' ? latest : request.resume.step;
  const chain = chainTo(state, step);
  if (chain === null) return refused({ kind: 'not-resumable', step, resumable, brokenBy: state.brokenBy });
  const { pauseBefore } = request;
  if (pauseBefore !== null && pauseBefore.index <= step.index) {
    return refused({ kind: 'pause-not-later', pause: pauseBefore, resume: step });
  }
  return underPolicy(plan, state, chain, request.ifChanged);
}

function underPolicy(
  plan: Plan,
  state: ResumableState,
  chain: readonly HeldBoundary[],
  policy: ChangePolicy,
): StartDecision {
  const change = findChanges(plan, chain);
  const changed = firstChangedStep(plan, chain);
  if (changed === null || policy === 'warn') return { kind: 'resume', chain, change };
  if (policy === 'refuse') return refused({ kind: 'manifest-changed', change });
  const earlier = chainTo(state, changed);
  return earlier === null
    ? { kind: 'from-empty' }
    : { kind: 'resume', chain: earlier, change: findChanges(plan, earlier) };
}

function refused(refusal: StartRefusal): StartDecision {
  return { kind: 'refused', refusal };
}
