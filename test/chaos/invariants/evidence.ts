import type { Artifact, AttemptId, BuildDetail, FarmEvent } from '#libs/contracts';
import type { Operation } from '../history.js';
import type { TruthLine } from '../truth-log.js';

/** A build as the farm tells of it when everything is at rest. */
export interface BuildEvidence {
  readonly detail: BuildDetail;
  readonly artifacts: readonly Artifact[];
  /** SHA-256 of the bytes of its images, as whoever asks for them gets them, by name. */
  readonly served: ReadonlyMap<string, string>;
  /** Text of its trace files. */
  readonly traces: readonly string[];
  /** By attempt; those that never began have none. */
  readonly logs: ReadonlyMap<AttemptId, LogEvidence>;
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
  readonly truth: readonly TruthLine[];
  readonly builds: readonly BuildEvidence[];
  readonly steps: readonly PlannedToyStep[];
  readonly linesOfStep: number;
  /** SHA-256 by name of the artifact, of a build that nobody disturbed. */
  readonly undisturbed: ReadonlyMap<string, string>;
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

/** One of those of the reference, by their numbers. */
export type Invariant = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

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
