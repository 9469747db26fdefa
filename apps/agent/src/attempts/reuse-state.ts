import type { Assignment, BuildId, ReportEvent } from '#libs/contracts';
import { SnapshotStoreError } from '#libs/engine';
import {
  contradictionOf,
  encodeFacts,
  factsAt,
  type Boundary,
  type Checkpoint,
  type HeldBoundary,
} from '#libs/plan';
import type { EnteredArea } from '../areas/area-desk.js';
import type { Reusable } from './foreign-states.js';
import type { LoadedAssignment } from './load-assignment.js';

export interface ReuseOptions {
  readonly assignment: Assignment;
  readonly loaded: LoadedAssignment;
  readonly area: EnteredArea;
  /** The checkpoint as this agent holds it, fetched if need be; `null`: it cannot be had. */
  readonly bring: (reusable: Reusable) => Promise<Checkpoint | null>;
  readonly note: (text: string) => void;
  readonly report: (event: ReportEvent) => void;
}

/**
 * Begins the job with a state that another job made, when that is further on than what the job has itself: the furthest that can be had, and that is
 * what its key says. It becomes the first checkpoint of the job's own chain.
 * Resolves to that chain, or to `held` where there is nothing better.
 */
export async function reuseState(
  held: readonly HeldBoundary[],
  options: ReuseOptions,
): Promise<readonly HeldBoundary[]> {
  const { assignment, loaded, note } = options;
  const boundaries = loaded.plan.boundaries.filter(({ job }) => job === loaded.job.index);
  const reached = held.at(-1)?.boundary.index ?? -1;
  for (const reusable of assignment.reuse) {
    const boundary = boundaries[reusable.position - 1];
    if (boundary === undefined || boundary.index <= reached) continue;
    const taken = await take(boundary, reusable, options);
    if (taken !== null) return [taken];
    note(`the state ${reusable.checkpoint.label} of ${reusable.area} cannot be had: looking for another`);
  }
  return held;
}

async function take(
  boundary: Boundary,
  reusable: Reusable,
  { assignment, loaded, area, bring, note, report }: ReuseOptions,
): Promise<HeldBoundary | null> {
  const { plan, job } = loaded;
  const { area: from, position } = reusable;
  const checkpoint = await bring(reusable);
  if (checkpoint === null) return null;
  const key = assignment.keys[position - 1] ?? null;
  const contradiction = contradictionOf(checkpoint, boundary, key);
  if (contradiction !== null) {
    note(`${checkpoint.label} of ${from} (${checkpoint.id}) is not what the record says: ${contradiction}`);
    return null;
  }
  try {
    if (from === assignment.area) await area.store.startFrom(checkpoint, job.workspace);
    else await area.fork({ area: from, checkpoint }, job.workspace);
  } catch (error) {
    if (error instanceof SnapshotStoreError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
  const facts = factsAt(boundary, '', plan.digests, assignment.lineage, new Date(), key);
  const own = await area.store.take(job.workspace, boundary.label, encodeFacts(facts));
  const { before } = boundary;
  note(
    `the state in front of ${before?.name ?? 'the end'} is ${from}'s ${checkpoint.label} (${checkpoint.id})`,
  );
  const build = from.slice(0, from.indexOf('.')) as BuildId;
  report({ type: 'state-reused', before: before?.index ?? null, build, checkpoint: checkpoint.id });
  return { boundary, checkpoint: own, facts };
}
