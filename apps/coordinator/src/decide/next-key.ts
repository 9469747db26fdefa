interface PositionedKey {
  /** Of a boundary among its job's, from 1 on. */
  readonly position: number;
  readonly key: string;
}

/**
 * The first state that a job has still to make, by its step key: the one behind the furthest that anybody holds. `null`: nobody can say what it will be equal to.
 *
 * @param keys of the job's boundaries and its end, those that are known, in order
 * @param held furthest of its boundaries that an agent holds, or holds the equal of; 0: none
 */
export function nextKey(keys: readonly PositionedKey[], held: number): string | null {
  // The first boundary is not made by a step: there is nothing in it that would be worth waiting for.
  const next = Math.max(held, 1) + 1;
  return keys.find(({ position }) => position === next)?.key ?? null;
}
