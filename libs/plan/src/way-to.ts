import type { KnownCheckpoint } from './missing-checkpoints.js';

/** The newest checkpoint that an agent holds of a workspace. */
export interface NewestHere {
  readonly id: string;
  /** The job goes on from it: a first checkpoint, which names none before it, continues it. */
  readonly isBase: boolean;
  /** It is known to equal a state in front of the wanted one. */
  readonly isInFront: boolean;
}

/**
 * What to fetch, in this order, so that `wanted` is here behind the newest checkpoint of its workspace: with what is known to lead to it, since each is little more than the one before it, and the
 * next job may part from there. Where nobody knows what is between, it alone. `null`: it would take the place of something that is worth as much.
 *
 * @param known that can be had, of the same area
 */
export function wayTo<Known extends KnownCheckpoint>(
  wanted: Known,
  newest: NewestHere | null,
  known: readonly Known[],
): readonly Known[] | null {
  const continuesNewest = ({ previous }: Known): boolean =>
    newest !== null && (previous === newest.id || (previous === '' && newest.isBase));
  const way = [wanted];
  for (let first = wanted; !continuesNewest(first);) {
    const before = known.find((each) => each.id === first.previous && !way.includes(each));
    if (before === undefined) return newest === null ? way : newest.isInFront ? [wanted] : null;
    way.unshift(before);
    first = before;
  }
  return way;
}
