import type { AttemptId, StepOutcome } from '#libs/contracts';

/** What is on record of an attempt at a job, and of one step in it. Milliseconds since 1970. */
export interface StepTry {
  readonly attempt: AttemptId;
  /** `null`: its agent never had it. */
  readonly claimedAt: number | null;
  /** `null`: nobody heard that it began the step. */
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly outcome: StepOutcome | null;
}

/**
 * The attempt that ran a step, by when the checkpoint behind it was taken; `null`: nobody knows. What an attempt did when it was cut off was never heard, and the attempts of
 * a job come one after the other: so it is the one of which the latest was heard by then, among those that can have done it.
 */
export function whoRan(tries: readonly StepTry[], takenAt: number): StepTry | null {
  return (
    tries
      .filter(({ outcome }) => outcome === null || outcome.kind === 'succeeded')
      .map((each) => ({ each, heardAt: each.endedAt ?? each.startedAt ?? each.claimedAt }))
      .reduce<{ readonly each: StepTry; readonly heardAt: number } | null>(
        (best, { each, heardAt }) =>
          heardAt !== null && heardAt <= takenAt && heardAt >= (best?.heardAt ?? 0)
            ? { each, heardAt }
            : best,
        null,
      )?.each ?? null
  );
}
