import { encodeFacts, factsAt } from './boundary-facts.js';
import type { Checkpoint, CheckpointFacts } from './checkpoint.js';
import type { Boundary, ManifestDigests } from './plan.js';

/** The state that a job goes on from: that in which one attempt at the job before it ended, whatever others left under the same name. */
export interface KnownBase {
  readonly label: string;
  /** Fact `build` of it. */
  readonly lineage: string;
  /** Id of that attempt's checkpoint; `null`: nobody knows it any more. */
  readonly checkpoint: string | null;
  /** Digest of the tree that was published of it; `null`: none was. */
  readonly tree: string | null;
}

/** Which of a workspace's checkpoints is the base: that very one, or one made of the tree. */
export function findBase<C extends Checkpoint>(checkpoints: readonly C[], base: KnownBase): C | undefined {
  return (
    checkpoints.find(({ id }) => id === base.checkpoint) ??
    checkpoints.find(
      ({ label, facts }) =>
        label === base.label &&
        facts['build'] === base.lineage &&
        base.tree !== null &&
        facts[TREE_FACT] === base.tree,
    )
  );
}

/** Of a checkpoint that is made of a base's published tree: by the tree it is known for what it is. */
export function factsOfTree(
  boundary: Boundary,
  manifest: ManifestDigests,
  { lineage, tree }: { readonly lineage: string; readonly tree: string },
  takenAt: Date,
): CheckpointFacts {
  return { ...encodeFacts(factsAt(boundary, '', manifest, lineage, takenAt)), [TREE_FACT]: tree };
}

const TREE_FACT = 'tree';
