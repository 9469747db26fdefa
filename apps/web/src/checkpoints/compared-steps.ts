import type { BuildDetail } from '#libs/contracts';
import type { MatrixCell } from '../build/matrix.js';

export interface ComparedSteps {
  /** Where what the step changed is shown; `null`: no agent holds the state in front of it and the one behind. */
  readonly changed: string | null;
  /** The same step of other variants whose state in front of it somebody holds, in the order of the build. */
  readonly others: readonly { readonly variant: string; readonly href: string }[];
}

/** What can be compared of a step: its state with the next one, and with that of other variants. */
export function comparedSteps(
  { jobs }: BuildDetail,
  { job, step }: Pick<MatrixCell, 'job' | 'step'>,
): ComparedSteps {
  const own = step.checkpoint;
  if (own === null) return { changed: null, others: [] };
  const next = job.steps.find(({ index }) => index > step.index)?.checkpoint ?? null;
  const others = jobs
    .filter(({ variant }) => variant !== job.variant)
    .flatMap(({ variant, steps }) => {
      const theirs = steps.find(({ name }) => name === step.name)?.checkpoint ?? null;
      return theirs === null || theirs === own ? [] : [{ variant, href: diffAddress(own, theirs) }];
    });
  return { changed: next === null ? null : diffAddress(own, next), others };
}

export function diffAddress(from: string, to: string): string {
  return `/checkpoints/diff?${new URLSearchParams({ from, to }).toString()}`;
}
