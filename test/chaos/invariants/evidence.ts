import type { Artifact, AttemptId, BuildDetail, BuildId, FarmEvent } from '#libs/contracts';
import type { Operation } from '../history.js';
import type { TruthLine } from '../truth-log.js';

/** A build as the farm tells of it when everything is at rest. */
export interface BuildEvidence {
  readonly detail: BuildDetail;
  readonly artifacts: readonly Artifact[];
  /** SHA-256 of the bytes of its images, as whoever asks for them gets them, by `imageOf`. */
  readonly served: ReadonlyMap<string, string>;
  /** The same of one that nobody disturbed, and that was built from nothing. */
  readonly undisturbed: ReadonlyMap<string, string>;
  readonly traces: readonly TraceEvidence[];
  /** What its steps are to note of themselves, by `<variant>/<step>`. */
  readonly tastes: ReadonlyMap<string, string>;
  /** By attempt; those that never began have none. */
  readonly logs: ReadonlyMap<AttemptId, LogEvidence>;
}

/** A trace file, beside an image. */
export interface TraceEvidence {
  readonly variant: string;
  readonly text: string;
}

export interface LogEvidence {
  readonly text: string;
  /** Bytes that the agent wrote, and that the farm says it has not. */
  readonly missing: number;
  /** The farm says that its attempt was lost, and that there may have been more. */
  readonly breaksOff: boolean;
}

export interface PlannedToyStep {
  readonly name: string;
  /** Steps whose effects it must find. */
  readonly after: readonly string[];
  /** The one image that it makes; `null`: its effects are in all of them. */
  readonly image: string | null;
}

/** All that is known when a run has ended: what the harness did, what steps noted themselves, what the farm says, what lies about. */
export interface Evidence {
  readonly operations: readonly Operation[];
  /** Of the whole farm, from its start on. */
  readonly events: readonly FarmEvent[];
  /** Of the whole farm, as well. */
  readonly truth: readonly TruthLine[];
  readonly builds: readonly BuildEvidence[];
  /** Those, and all from which they have taken steps over. */
  readonly origins: ReadonlyMap<BuildId, BuildDetail>;
  readonly steps: readonly PlannedToyStep[];
  readonly linesOfStep: number;
  /** What should not be there any more, each in words. */
  readonly left: readonly string[];
  readonly limits: Limits;
}

/** Milliseconds. */
export interface Limits {
  /** From the moment when everything works again, until all builds have ended. */
  readonly recoverMs: number;
  /** From a cancel until the build is at rest, in a farm that works. */
  readonly cancelMs: number;
}

/** By their numbers, as docs/operations.md has them. */
export type Invariant = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11;

export interface Violation {
  readonly invariant: Invariant;
  readonly text: string;
  readonly build: string | null;
}

export function hasSucceeded({ detail }: BuildEvidence): boolean {
  return detail.state === 'succeeded';
}

export function buildOf(area: string): string {
  return area.split('.')[0] ?? area;
}

export function variantOf(area: string): string {
  return area.slice(area.indexOf('.') + 1);
}

/** An image's name in a build. */
export function imageOf(variant: string, name: string): string {
  return `${variant}/${name}`;
}
