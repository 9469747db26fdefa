import type { CheckpointFacts } from './checkpoint.js';
import type { Boundary, ManifestDigests } from './plan.js';

/** Raised when the facts below change their meaning; checkpoints of another format are not resumable. */
const FORMAT = '1';

/**
 * What a checkpoint remembers about how it came to be, so that the next build can tell whether it may go on from it. The facts are
 * kept in the snapshot itself: both appear and vanish together.
 */
export interface BoundaryFacts {
  /** Label of the boundary. */
  readonly boundary: string;
  /** Id of the checkpoint one boundary earlier; empty at the first. Chains the checkpoints of one build. */
  readonly previous: string;
  /** Name of the step that led here; empty at the start of a job. */
  readonly after: string;
  /** SHA-256 of that step's script and arguments; empty at the start of a job. */
  readonly scriptDigest: string;
  readonly argsDigest: string;
  readonly manifest: ManifestDigests;
  readonly build: string;
  /** Step key of the state; empty: it was not known. */
  readonly key: string;
  /** ISO 8601, UTC. */
  readonly takenAt: string;
}

export function factsAt(
  boundary: Boundary,
  previous: string,
  manifest: ManifestDigests,
  build: string,
  takenAt: Date,
  key: string | null = null,
): BoundaryFacts {
  return {
    boundary: boundary.label,
    previous,
    after: boundary.after?.name ?? '',
    scriptDigest: boundary.after?.scriptDigest ?? '',
    argsDigest: boundary.after?.argsDigest ?? '',
    manifest,
    build,
    key: key ?? '',
    takenAt: takenAt.toISOString(),
  };
}

export function encodeFacts(facts: BoundaryFacts): CheckpointFacts {
  return {
    format: FORMAT,
    boundary: facts.boundary,
    previous: facts.previous,
    after: facts.after,
    script: facts.scriptDigest,
    arguments: facts.argsDigest,
    manifest: facts.manifest.file,
    content: facts.manifest.content,
    build: facts.build,
    ...(facts.key === '' ? {} : { key: facts.key }),
    'taken-at': facts.takenAt,
  };
}

/** `null` when a fact is missing or of another format: such a checkpoint is not resumable. */
export function decodeFacts(raw: CheckpointFacts): BoundaryFacts | null {
  if (raw['format'] !== FORMAT) return null;
  const { boundary, previous, after, script, arguments: args, manifest, content, build } = raw;
  const takenAt = raw['taken-at'];
  if (boundary === undefined || previous === undefined || after === undefined) return null;
  if (script === undefined || args === undefined || manifest === undefined || content === undefined)
    return null;
  if (build === undefined || takenAt === undefined) return null;
  return {
    boundary,
    previous,
    after,
    scriptDigest: script,
    argsDigest: args,
    manifest: { file: manifest, content },
    build,
    key: raw['key'] ?? '',
    takenAt,
  };
}
