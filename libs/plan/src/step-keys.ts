import type { Manifest } from '#libs/manifest';
import { imageArchitecture } from './image-architecture.js';
import type { Job, Plan } from './plan.js';
import { MAIN_LANE } from './plan-build.js';
import { contentsOf, digestOf, stepIngredients, type KeyWorld } from './step-ingredients.js';

/** Raised when a key changes its meaning: states of another format are not the same as any of this one. */
const FORMAT = 1;

/**
 * Hashes that identify states by how they come to be: equal keys, equal states, whichever build, variant or lane they are in and whatever the steps are called. `null`: nobody
 * can say (a fingerprint is not known, say), and so of all that comes behind.
 */
export interface PlanKeys {
  /** By `Boundary.index`. */
  readonly boundaries: readonly (string | null)[];
  /** Behind each job's last step, by `Job.index`. */
  readonly ends: readonly (string | null)[];
}

/**
 * The keys of a plan, before anything of it has run.
 *
 *     key(start of a lane from nothing)  = H(format, architecture)
 *     key(start of a job from a state)   = H(key of that state), since its media folder is emptied
 *     key(with outputs of lanes)         = H(key, path and key of the lane's end, for each)
 *     key(behind a step)                 = H(key in front of it, its ingredients)
 *
 * An output enters by the key of the state that it is taken from, not by its digest: so the keys are known before the lane has run.
 *
 * @param world with `oneMediaFolder`, what the lanes have written there is with what `main` goes on with, too, as if all of it were outputs
 */
export function planKeys(plan: Plan, manifest: Manifest, world: KeyWorld): PlanKeys {
  const contentOf = contentsOf(manifest);
  const boundaries: (string | null)[] = plan.boundaries.map(() => null);
  const ends: (string | null)[] = [];
  for (const job of plan.jobs) {
    const start = withImports(job, plan.jobs, ends, startOf(job, ends));
    let key = world.oneMediaFolder === true ? withMedia(job, plan.jobs, ends, start) : start;
    for (const boundary of plan.boundaries.filter(({ job: index }) => index === job.index))
      if (boundary.after === null) boundaries[boundary.index] = key;
    for (const step of job.steps) {
      const ingredients = stepIngredients(step, manifest, world, contentOf);
      key = key === null || ingredients === null ? null : digestOf('step', key, ingredients);
      const behind = plan.boundaries.find(({ job: of, after }) => of === job.index && after === step);
      if (behind !== undefined) boundaries[behind.index] = key;
    }
    ends.push(key);
  }
  return { boundaries, ends };
}

function startOf({ base, steps }: Job, ends: readonly (string | null)[]): string | null {
  if (base.kind === 'empty') return digestOf('empty', FORMAT, imageArchitecture({ steps }));
  const end = ends[base.boundary.job] ?? null;
  return end === null ? null : digestOf('from', end);
}

function withImports(
  job: Job,
  jobs: readonly Job[],
  ends: readonly (string | null)[],
  start: string | null,
): string | null {
  if (job.imports.length === 0 || start === null) return start;
  const imports: (readonly [path: string, key: string])[] = [];
  for (const { lane, path } of job.imports) {
    const writer = jobs.findLast((other) => other.index < job.index && other.lane === lane);
    const end = writer === undefined ? null : (ends[writer.index] ?? null);
    if (end === null) return null;
    imports.push([path, end]);
  }
  return digestOf(
    'imports',
    start,
    imports.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
  );
}

/** The lanes that have run since `main` last did. Lanes may run in any order: they are nothing to each other. */
function withMedia(
  job: Job,
  jobs: readonly Job[],
  ends: readonly (string | null)[],
  start: string | null,
): string | null {
  if (job.lane !== MAIN_LANE || start === null) return start;
  const previous = jobs.findLastIndex(({ index, lane }) => index < job.index && lane === job.lane);
  const lanes = ends.slice(previous + 1, job.index);
  if (lanes.length === 0) return start;
  return lanes.includes(null) ? null : digestOf('media', start, lanes);
}
