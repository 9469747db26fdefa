import type { BuildEvent, BuildResult, StepOutcome } from '#libs/engine';
import type { PlannedStep } from '#libs/plan';
import type { BuildHeader, MediaFile, Progress } from './progress.js';

/** For programs: one JSON object a line, each with `type` and `time`. docs/operations.md lists them. */
export class JsonProgress implements Progress {
  constructor(
    private readonly write: (text: string) => void,
    private readonly now: () => Date = () => new Date(),
  ) {}

  started({ build, distribution, steps, dataset, path, simpleLog, detailLog }: BuildHeader): void {
    this.#print('build-started', { build, distribution, steps, dataset, path, simpleLog, detailLog });
  }

  event(event: BuildEvent): void {
    switch (event.type) {
      case 'job-started':
        return this.#print(event.type, {
          lane: event.job.lane,
          steps: event.job.steps.map(({ name }) => name),
        });
      case 'output-imported':
        return this.#print(event.type, { lane: event.lane, path: event.path, sha256: event.digest });
      case 'job-reused':
        return this.#print(event.type, { lane: event.job.lane, checkpoint: event.checkpoint.id });
      case 'resumed':
        return this.#print(event.type, { before: event.before.name, checkpoint: event.checkpoint.id });
      case 'step-started':
        return this.#print(event.type, {
          step: event.step.name,
          index: event.step.index,
          message: event.step.message,
        });
      case 'step-ended':
        return this.#print(event.type, { step: event.step.name, ...outcomeFields(event.outcome) });
      case 'checkpoint-taken':
        return this.#print(event.type, { label: event.checkpoint.label, id: event.checkpoint.id });
    }
  }

  line(step: PlannedStep, text: string): void {
    this.#print('line', { step: step.name, text });
  }

  warning(text: string): void {
    this.#print('warning', { text });
  }

  ended(result: BuildResult, text: string, media: readonly MediaFile[]): void {
    this.#print('build-ended', { result: result.kind, text, media });
  }

  #print(type: string, fields: Readonly<Record<string, unknown>>): void {
    this.write(`${JSON.stringify({ type, time: this.now().toISOString(), ...fields })}\n`);
  }
}

function outcomeFields({ kind, ...details }: StepOutcome): Readonly<Record<string, unknown>> {
  return { outcome: kind, ...details };
}
