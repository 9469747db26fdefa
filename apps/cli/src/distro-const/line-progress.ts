import type { BuildEvent, BuildResult } from '#libs/engine';
import type { PlannedStep } from '#libs/plan';
import { describeOutcome } from '#libs/watch';
import { neutralise } from './neutralise.js';
import type { BuildHeader, MediaFile, Progress } from './progress.js';
import { describePassedOver } from './wording.js';

/** For pipes and log files: one line per change, in the words of distro_const where it had some. */
export class LineProgress implements Progress {
  constructor(private readonly write: (text: string) => void) {}

  started(header: BuildHeader): void {
    for (const line of headerLines(header)) this.#print(line);
  }

  event(event: BuildEvent): void {
    switch (event.type) {
      case 'step-started':
        this.#print(`==== ${event.step.name}: ${event.step.message}`);
        break;
      case 'step-ended':
        if (event.outcome.kind !== 'succeeded')
          this.#print(`${event.step.name} ${describeOutcome(event.outcome)}`);
        break;
      case 'output-imported':
        this.#print(`${event.path} from lane ${event.lane}, sha256 ${event.digest}`);
        break;
      case 'job-reused':
        this.#print(describePassedOver(event.job, event.checkpoint));
        break;
      case 'resumed':
        this.#print(`Resuming at ${event.before.name}`);
        break;
      case 'job-started':
      case 'checkpoint-taken':
        break;
    }
  }

  line(_step: PlannedStep, text: string): void {
    this.#print(neutralise(text));
  }

  warning(text: string): void {
    this.#print(`Warning: ${text}`);
  }

  ended(_result: BuildResult, text: string, media: readonly MediaFile[], endedAt: Date): void {
    for (const line of trailerLines(text, media, endedAt)) this.#print(line);
  }

  #print(line: string): void {
    this.write(`${line}\n`);
  }
}

function headerLines(header: BuildHeader): readonly string[] {
  return [
    `Simple Log: ${header.simpleLog}`,
    `Detail Log: ${header.detailLog}`,
    `Build started ${header.startedAt.toISOString()}`,
    `Distribution name: ${header.distribution}`,
    ...(header.dataset === null ? [] : [`Build Area dataset: ${header.dataset}`]),
    `Build Area mount point: ${header.path}`,
    `Checkpoints: ${header.store}`,
  ];
}

function trailerLines(text: string, media: readonly MediaFile[], endedAt: Date): readonly string[] {
  const files = media.map(({ path, bytes }) => `${path} (${(bytes / 1e6).toFixed(1)} MB)`);
  return [...files, `Build completed ${endedAt.toISOString()}`, text];
}
