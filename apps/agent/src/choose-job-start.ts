import type { Assignment } from '#libs/contracts';
import type { HeldBoundary, Plan, ResumableState } from '#libs/plan';

/** The checkpoints to go on from, as the assignment wants it; empty: from the job's start. */
export function chooseJobStart(
  plan: Plan,
  { held }: ResumableState,
  start: Assignment['start'],
): readonly HeldBoundary[] {
  switch (start.kind) {
    case 'fresh':
      return [];
    case 'latest':
      return held;
    case 'step': {
      const wanted = plan.steps.find(({ name }) => name === start.step)?.index ?? -1;
      const last = held.findLastIndex(
        ({ boundary }) => boundary.before !== null && boundary.before.index <= wanted,
      );
      return held.slice(0, last + 1);
    }
  }
}
