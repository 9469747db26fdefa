import type { BuildEvent, BuildResult } from '#libs/engine';
import type { PlannedStep } from '#libs/plan';

/** What is known before the first step. */
export interface BuildHeader {
  readonly build: string;
  readonly distribution: string;
  readonly steps: number;
  /** Dataset, or `null` on plain folders. */
  readonly dataset: string | null;
  readonly path: string;
  /** What keeps the checkpoints. */
  readonly store: string;
  readonly simpleLog: string;
  readonly detailLog: string;
  readonly startedAt: Date;
}

/** A finished medium or other file in the media folder. */
export interface MediaFile {
  readonly path: string;
  readonly bytes: number;
}

/** Port of the command line: shows a build while it runs. One implementation per kind of reader. */
export interface Progress {
  started(header: BuildHeader): void;
  event(event: BuildEvent): void;
  /** A line a script wrote to stderr, without its newline. */
  line(step: PlannedStep, text: string): void;
  warning(text: string): void;
  ended(result: BuildResult, text: string, media: readonly MediaFile[], endedAt: Date): void;
}
