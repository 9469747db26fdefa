import type { Evidence, Invariant, Violation } from './invariants/evidence.js';
import { effectsOfOneEpoch } from './invariants/effects-of-one-epoch.js';
import { equalStepsOnce } from './invariants/equal-steps-once.js';
import { everySubmissionEnds } from './invariants/every-submission-ends.js';
import { inTime } from './invariants/in-time.js';
import { neverOverlapping } from './invariants/never-overlapping.js';
import { nothingStale } from './invariants/nothing-stale.js';
import { sameImages } from './invariants/same-images.js';
import { statesFollow } from './invariants/states-follow.js';
import { stepsInOrder } from './invariants/steps-in-order.js';
import { withoutHoles } from './invariants/without-holes.js';

type Check = (evidence: Evidence) => Iterable<Violation>;

export const INVARIANTS: Readonly<Record<Invariant, { readonly title: string; readonly check: Check }>> = {
  1: { title: 'every submission reaches one end', check: everySubmissionEnds },
  2: { title: 'what counts of a step comes from one epoch', check: effectsOfOneEpoch },
  3: { title: 'no two steps in one workspace at a time', check: neverOverlapping },
  4: { title: 'steps in order, each from its checkpoint', check: stepsInOrder },
  5: { title: 'nothing of a stale epoch is kept', check: nothingStale },
  6: { title: 'images are those of an undisturbed build', check: sameImages },
  7: { title: 'logs and events without holes', check: withoutHoles },
  8: { title: 'states follow the table', check: statesFollow },
  9: { title: 'nothing is left behind', check: nothingLeft },
  10: { title: 'back to work in time', check: inTime },
  11: { title: 'equal steps run once at a time', check: equalStepsOnce },
};

/** What is wrong, in the order of the invariants; nothing, when all hold. */
export function checkHistory(evidence: Evidence): readonly Violation[] {
  return Object.values(INVARIANTS).flatMap(({ check }) => [...check(evidence)]);
}

function* nothingLeft({ left }: Evidence): Iterable<Violation> {
  for (const text of left) yield { invariant: 9, text, build: null };
}
