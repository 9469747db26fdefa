interface KeyedJob {
  /** Index in the plan of its variant. */
  readonly index: number;
  /** Jobs whose ends it begins with. */
  readonly needs: readonly number[];
}

/**
 * Whose states are not what their keys say, when those of one job are not from a boundary on: that job's from there, and all of every job that goes on from it, directly or not. By index of the job, the
 * first such position (from 1 on).
 */
export function keysToDrop(
  jobs: readonly KeyedJob[],
  from: { readonly job: number; readonly position: number },
): ReadonlyMap<number, number> {
  const dropped = new Map([[from.job, from.position]]);
  // A job only needs earlier ones.
  for (const { index, needs } of jobs.toSorted((a, b) => a.index - b.index))
    if (!dropped.has(index) && needs.some((need) => dropped.has(need))) dropped.set(index, 1);
  return dropped;
}
