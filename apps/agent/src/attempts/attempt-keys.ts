import type { Assignment, ReportEvent } from '#libs/contracts';
import type { StepRunner } from '#libs/engine';
import type { HeldBoundary, PlannedStep } from '#libs/plan';
import { askFingerprint, type StepSurroundings } from '../fingerprints/ask-fingerprint.js';
import { FingerprintWatch } from '../fingerprints/fingerprint-watch.js';
import type { AttemptLog } from './attempt-log.js';
import type { LoadedAssignment } from './load-assignment.js';

interface Told {
  readonly assignment: Assignment;
  readonly log: AttemptLog;
  readonly report: (event: ReportEvent) => void;
}

/** Step keys as the engine wants them, which reads one when it takes a checkpoint. They may turn out to be wrong while the job runs; from there on there are none. */
export class AttemptKeys {
  /** See `BuildRequest.keys`. */
  readonly byBoundary: (string | null)[];

  /** @param chain what the attempt goes on from */
  constructor(
    private readonly attempt: Told,
    private readonly loaded: LoadedAssignment,
    chain: readonly HeldBoundary[],
  ) {
    const { plan, job } = loaded;
    const { keys } = attempt.assignment;
    const first = plan.boundaries.findIndex(({ job: of }) => of === job.index);
    this.byBoundary = plan.boundaries.map(({ job: of }, at) =>
      of === job.index ? (keys[at - first] ?? null) : null,
    );
    const from = chain.at(-1);
    const after = from?.boundary.after ?? null;
    // Another attempt found out, and may have lost its job before it could say so.
    if (from?.facts.key === '' && after !== null && this.byBoundary[from.boundary.index] !== null)
      this.#drop(after, `nobody knows what the checkpoint ${from.boundary.label} is equal to`);
  }

  /** Asks for the fingerprints again, each right behind its step. */
  watch(runner: StepRunner, surroundings: StepSurroundings): StepRunner {
    const { assignment, log } = this.attempt;
    const { manifest } = this.loaded;
    const { sourceDateEpoch, fingerprints = [] } = assignment;
    if (fingerprints.length === 0) return runner;
    return new FingerprintWatch(runner, {
      expected: new Map(fingerprints.map(({ step, output }) => [step, output])),
      ask: async (step, signal) =>
        await askFingerprint(
          { manifest, step, sourceDateEpoch },
          surroundings,
          (text) => log.note(step.name, text),
          signal,
        ),
      onMoved: (step, why) => this.#drop(step, why),
    });
  }

  /** Told before any checkpoint behind the step is. */
  #drop(behind: PlannedStep, why: string): void {
    for (const { index, after } of this.loaded.plan.boundaries)
      if (after !== null && after.index >= behind.index) this.byBoundary[index] = null;
    this.attempt.log.note(
      behind.name,
      `Warning: ${why}; what it made, and the steps behind it, is not reused`,
    );
    this.attempt.report({ type: 'keys-dropped', behind: behind.index, why });
  }
}
