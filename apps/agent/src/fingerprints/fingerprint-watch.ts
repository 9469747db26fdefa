import { StepRunner, type StepOutcome, type Workspace } from '#libs/engine';
import type { PlannedStep } from '#libs/plan';
import type { FingerprintResult } from '#libs/steps';

export interface FingerprintWatchOptions {
  /** What the commands of the job's steps wrote when the build was submitted, by index of the step. */
  readonly expected: ReadonlyMap<number, string>;
  readonly ask: (step: PlannedStep, signal: AbortSignal) => Promise<FingerprintResult>;
  /** Told before the step's end is, and so before its checkpoint is taken. */
  readonly onMoved: (step: PlannedStep, why: string) => void;
}

/**
 * Asks for a step's fingerprint once more, right behind the step: what it read may have changed since the build was submitted, and then what it made is not what its key says. A repository that moves
 * there and back between the two is not noticed.
 */
export class FingerprintWatch extends StepRunner {
  constructor(
    private readonly inner: StepRunner,
    private readonly options: FingerprintWatchOptions,
  ) {
    super();
  }

  override async run(step: PlannedStep, workspace: Workspace, signal: AbortSignal): Promise<StepOutcome> {
    const outcome = await this.inner.run(step, workspace, signal);
    const expected = this.options.expected.get(step.index);
    if (outcome.kind !== 'succeeded' || expected === undefined) return outcome;
    const moved = whyMoved(step, expected, await this.#ask(step, signal));
    if (moved !== null) this.options.onMoved(step, moved);
    return outcome;
  }

  /** Twice, when it fails: to reuse nothing of the build costs more than a second look at a server that was busy. */
  async #ask(step: PlannedStep, signal: AbortSignal): Promise<FingerprintResult> {
    const first = await this.options.ask(step, signal);
    return first.ok || signal.aborted ? first : await this.options.ask(step, signal);
  }
}

/** `null`: it is what it was. Nobody knows what the step made when the command fails now, so that counts as well. */
export function whyMoved(step: PlannedStep, expected: string, now: FingerprintResult): string | null {
  if (!now.ok)
    return `nobody knows whether the fingerprint of ${step.name} changed while it ran: ${now.reason}`;
  if (now.output === expected) return null;
  return `the fingerprint of ${step.name} changed while it ran, from ${short(expected)} to ${short(now.output)}`;
}

function short(digest: string): string {
  return digest.slice(0, 12);
}
